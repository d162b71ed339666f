"""Organizations: the customers of whoever runs Tollgate."""
