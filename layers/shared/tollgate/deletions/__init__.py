"""What was deleted: a record of it that outlives it, by which a worker finishes what a request began (Q-21)."""
