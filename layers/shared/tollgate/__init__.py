"""Tollgate's shared code: everything that the functions, the proxy and the workers have in common."""
