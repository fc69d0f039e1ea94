"""Hidden marks: by them Pawl finds again what it has written."""

import re

_UNFIT = re.compile(r"[^A-Za-z0-9@#:/._-]")


def mark_of(key: str) -> str:
    """A line that GitHub does not show."""
    return f"<!-- pawl:{_UNFIT.sub('-', key)} -->"


def marked(key: str, text: str) -> str:
    """The text below the mark of the key. Only a mark on the first line counts, so no text can carry another one's."""
    return f"{mark_of(key)}\n{text}"
