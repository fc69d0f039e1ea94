"""Words of untrusted origin as people see them: in full, and unable to pass for ours."""

import re

_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"  # what moves the cursor
    "\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0e\uffa0"  # drawn as nothing
    "]"
    "|(?<![©®\u203c\u2049\u2122-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff])\ufe0f"  # one paints an emoji
)
"""All that Unicode calls control, format or ignorable, but for a tab and the end of a line."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def visible(text: str) -> str:
    """The text with what a screen does not show, or shows in another order than it runs, written out."""
    return _UNSEEN.sub(_written_out, text)


def code(text: str) -> str:
    """A name or a command in a line of Markdown: one that cannot end its span."""
    one_line = text.replace("`", "'").replace("\n", " ")
    return f"`{visible(one_line)}`"


def indented(output: str) -> str:
    """What a program has written, as a block of text in Markdown. Colours are left out."""
    plain = _COLOURS.sub("", output.replace("\r\n", "\n"))
    return "\n".join(f"    {line}" for line in visible(plain).splitlines())


def fenced(output: str) -> str:
    """The same, so that it stays code also where its lines are joined to one."""
    block = indented(output).replace("```", "'''")
    return f"```\n{block}\n```"


def _written_out(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
