"""Names of environment variables, where settings name one instead of holding a secret."""

import re
from typing import Annotated

from pydantic import AfterValidator

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")


def _checked(name: str) -> str:
    """A key that was pasted here would be looked for in vain, and shown when it is missed."""
    if name and not _NAME.fullmatch(name):
        raise ValueError("write the name of an environment variable, such as ACME_KEY, and never the secret itself")
    return name


Variable = Annotated[str, AfterValidator(_checked)]
"""Empty: none."""
