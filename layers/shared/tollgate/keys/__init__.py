"""Virtual keys of teams."""
