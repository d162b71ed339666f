"""Prepaid accounts and their ledger."""
