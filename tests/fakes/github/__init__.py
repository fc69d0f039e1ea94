"""A double of GitHub."""

from tests.fakes.github.hands import Hands
from tests.fakes.github.service import APP_ID, TOKEN, FakeGitHub, send_webhook, signed
from tests.fakes.github.world import PAWL

__all__ = ["APP_ID", "PAWL", "TOKEN", "FakeGitHub", "Hands", "send_webhook", "signed"]
