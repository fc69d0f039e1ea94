"""Whether a text in Linear speaks to Pawl, and what it says then."""

import re

from activities.tracker.linear.rows import User

_CODE = re.compile(r"(```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]*`)", re.DOTALL)
_QUOTE = re.compile(r"^[ \t]*>.*$", re.MULTILINE)


def mentions(text: str, us: User) -> bool:
    """A mention inside a quotation or code is somebody else's."""
    return bool(_name_of(us).search(_QUOTE.sub("", _CODE.sub("", text))))


def without_mention(text: str, us: User) -> str:
    return _name_of(us).sub("", text).strip()


def _name_of(us: User) -> re.Pattern[str]:
    """`@pawl`, or the link to the profile that Linear writes for it, bare or as Markdown."""
    handle, link = re.escape(us.display_name or us.name or us.id), re.escape(us.url)
    linked = rf"\[@?{handle}\]\({link}/?\)|<?{link}(?![\w-])/?>?|" if us.url else ""
    return re.compile(rf"{linked}(?<![\w@/.])@{handle}(?![\w-])(?!\.\w)", re.IGNORECASE)
