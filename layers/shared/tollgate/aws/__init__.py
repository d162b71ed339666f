"""Clients of AWS services, one module each."""
