"""Background work: run by schedules and streams."""
