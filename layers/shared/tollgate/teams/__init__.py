"""Teams: who is limited and charged."""
