"""GitHub issues as a tracker."""

from activities.tracker.github.issues import GitHubIssues

__all__ = ["GitHubIssues"]
