"""Where the repository's policy and guide come from."""
