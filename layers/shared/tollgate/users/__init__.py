"""Users, and their memberships in organizations and teams."""
