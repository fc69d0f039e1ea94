"""Notes to a Slack channel."""

from activities.notify.slack.notes import SlackNotify

__all__ = ["SlackNotify"]
