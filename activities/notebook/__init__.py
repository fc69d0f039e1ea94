"""What triage remembers, in files."""
