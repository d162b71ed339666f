"""Customers: whoever stands behind a call's ``user``, where something is to be said of him."""
