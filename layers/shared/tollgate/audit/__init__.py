"""The audit log: one event for every admin write, in the same transaction."""
