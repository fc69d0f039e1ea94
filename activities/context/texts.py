"""What a text of a repository must be before anything is started with it."""

_MOST_BYTES = 100_000
"""Below the kernel's limit for one argument of a command."""


def unusable(text: str) -> str:
    """Why no command line and no variable can hold the text, to follow "it"; empty when they can."""
    if "\0" in text:
        return "holds a NUL character"
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "holds half of a character"
    return f"is longer than {_MOST_BYTES:,} bytes" if size > _MOST_BYTES else ""
