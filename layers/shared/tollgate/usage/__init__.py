"""Usage: rollups of calls by scope, day, model and job type."""
