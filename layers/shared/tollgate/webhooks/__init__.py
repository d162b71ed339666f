"""Webhooks: what becomes of jobs and teams, told to whom their owners name."""
