"""Adapters of the audit port."""
