"""The bodies of the commands that `starter.py` parses."""
