"""The name of the person at this terminal."""

import getpass


def whoami() -> str:
    """The user's name; empty where the user has none, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
