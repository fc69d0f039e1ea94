"""What a sandbox costs: its commands, its start, the way out of it, and many at once."""
