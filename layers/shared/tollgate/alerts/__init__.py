"""Alerts: thresholds that were crossed, and who is told."""
