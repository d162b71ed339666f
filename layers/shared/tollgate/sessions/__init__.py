"""Sessions of users who log in with a password (D-20)."""
