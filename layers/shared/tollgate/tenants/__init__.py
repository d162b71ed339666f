"""What spans the domains: teams with their account and keys, organizations with their teams, the end of both."""
