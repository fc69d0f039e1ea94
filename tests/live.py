"""What tests may reach outside of this machine, when somebody asks them to: nothing else ever leaves it."""

import os

_MODAL = "PAWL_TEST_LIVE_MODAL"
"""In the environment, so that processes which tests start know it too."""


def go_live_at_modal() -> None:
    """The suite of sandbox providers runs against the real Modal from now on, and costs money."""
    os.environ[_MODAL] = "1"


def modal_is_live() -> bool:
    return _MODAL in os.environ
