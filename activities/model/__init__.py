"""Adapters of the paid side."""
