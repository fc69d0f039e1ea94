"""Adapters of the workspace port."""
