"""What a repository at GitHub is called."""

import re

_FULL_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*/[A-Za-z0-9._-]+")


def full_name(url: str, web_url: str) -> str:
    """`owner/name` of a repository named by its web or git URL, by SSH or by `owner/name`; empty when it is not at
    this GitHub."""
    host = web_url.partition("://")[2].partition("/")[0]
    rest = url.strip()
    for beginning in (f"{web_url}/", f"git@{host}:", f"ssh://git@{host}/"):
        if rest.casefold().startswith(beginning.casefold()):
            rest = rest[len(beginning) :]
            break
    name = rest.rstrip("/").removesuffix(".git")
    return name if _FULL_NAME.fullmatch(name) and not name.endswith(("/.", "/..")) else ""
