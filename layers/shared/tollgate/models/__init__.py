"""The model catalogue: aliases with their targets and prices, access groups."""
