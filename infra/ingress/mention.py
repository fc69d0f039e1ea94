"""Mentions: whether words are said to Pawl, and the words without that."""

import re

_MOST_READ = 20_000
"""Characters. Twice what is passed on, so that a cut is seen as one; a search in more would hold up everybody."""
_CODE = re.compile(r"(?:```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]*`)", re.DOTALL)
_QUOTED = re.compile(r"^[ \t]*>.*$", re.MULTILINE)


class Mention:
    """How people address Pawl: `@pawl`, and what a place makes of it, as a link to its profile."""

    def __init__(self, handle: str) -> None:
        name = re.escape(handle)
        profile = rf"https://linear\.app/[\w-]+/profiles/{name}(?![\w-])"
        self._pattern = re.compile(
            rf"\[@?[^\]\n]{{0,100}}\]\({profile}[^)\s]{{0,200}}\)|{profile}"
            rf"|(?<![\w@/.`-])@{name}(?:\[bot\])?(?![\w-])(?!\.\w)",
            re.IGNORECASE,
        )

    def is_in(self, text: str) -> bool:
        """Whether they are said to Pawl. A mention in what somebody quotes, or shows as code, is not theirs."""
        return bool(self._pattern.search(_QUOTED.sub("", _CODE.sub("", text[:_MOST_READ]))))

    def without(self, text: str) -> str:
        """The text without mentions of Pawl, and without the punctuation that then stands at its beginning."""
        return self._pattern.sub("", text[:_MOST_READ]).strip().lstrip(",:").strip()
