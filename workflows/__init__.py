"""Durable decisions: what happens to a ticket, with no hand on the outside world."""
