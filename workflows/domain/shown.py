"""Words of untrusted origin as people see them: in full, and unable to pass for ours."""

import re

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def visible(text: str) -> str:
    """The text with what a screen does not show, or shows in another order than it runs, written out."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


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
    block = indented(output.replace("```", "'''"))
    return f"```\n{block}\n```"
