"""Slack's ways in: what its payloads mean, modals, and socket mode."""
