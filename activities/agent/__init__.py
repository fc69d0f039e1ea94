"""Agents: who takes the turns of a session."""
