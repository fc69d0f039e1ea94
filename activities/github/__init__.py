"""GitHub for every adapter that talks to it: one client, its ways to be let in, and what its refusals mean."""

from activities.github.access import Access, App, Token
from activities.github.client import GitHub, Refused
from activities.github.failures import told
from activities.github.marks import mark_of, marked
from activities.github.names import full_name

__all__ = ["Access", "App", "GitHub", "Refused", "Token", "full_name", "mark_of", "marked", "told"]
