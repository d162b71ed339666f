"""Budgets and rate limits: what can be limited, in which windows, and how a limit is stored."""
