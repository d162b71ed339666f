"""Jobs: work of a team that may take several calls and is charged once."""
