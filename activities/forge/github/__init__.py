"""GitHub as a forge."""

from activities.forge.github.forge import GitHubForge

__all__ = ["GitHubForge"]
