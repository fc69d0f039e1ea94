"""Slack for the adapters that talk to it: calls whose failures mean something here, and messages found by their key."""
