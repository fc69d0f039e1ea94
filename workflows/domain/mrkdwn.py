"""Slack's own markup: Markdown of untrusted origin turned into it, so that nobody is called and nothing overflows."""

import re

from workflows.domain.shown import visible

MOST_SECTION = 2_900
"""Characters of one section; Slack refuses 3,000."""
_LINE = 400
"""Characters of a line before it is escaped, which makes five of one at most: a line fits into a section."""
_CUT = "_[cut: the rest is on the ticket]_"
_FENCE = "```"

_URL = re.compile(r"(?<![\w<])https?://[^\s<>|\"'`()\[\]]+[^\s<>|\"'`()\[\].,;:!?]")
_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\((https?://[^\s()<>|]+)\)")
_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*")
_BULLET = re.compile(r"(\s*)[-*+]\s+(?=\S)")
_BOLD = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_ITALIC = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*]+?)(?<=[^\s*])\*(?![\w*])")
_STRUCK = re.compile(r"~~(?=\S)(.+?)(?<=\S)~~")
_TOKEN = re.compile(r"<([^<>]*)>")


def escaped(text: str) -> str:
    """Text that Slack shows as it is: what could call people or hide a link is written out."""
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mrkdwn(markdown: str) -> str:
    """The Markdown people and agents write, in Slack's markup. A link shows where it leads."""
    return "\n".join(_converted(markdown))


def sections(markdown: str, most: int = 10) -> list[str]:
    """The same in at most `most` pieces, each fit for one section; what is left out is said at the end."""
    pieces, piece, fenced = list[str](), list[str](), False
    for line in _converted(markdown):
        if sum(len(one) + 1 for one in piece) + len(line) > MOST_SECTION - len(_CUT) - 10:
            pieces.append("\n".join([*piece, _FENCE] if fenced else piece))
            piece = [_FENCE] if fenced else []
        piece.append(line)
        fenced ^= line == _FENCE
    pieces.append("\n".join([*piece, _FENCE] if fenced else piece))
    shown = [piece for piece in pieces if piece.strip()]
    return shown if len(shown) <= most else [*shown[: most - 1], f"{shown[most - 1]}\n{_CUT}"]


def one_line(text: str, most: int) -> str:
    """A title or a name: escaped, on one line, at most so long before it is escaped."""
    line = " ".join(text.split())
    return escaped(line if len(line) <= most else f"{line[: most - 1]}…")


def plain(said: str) -> str:
    """What a person wrote in Slack, as text: links as addresses, people and channels by their ids."""
    text = _TOKEN.sub(_meant, said)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _meant(token: re.Match[str]) -> str:
    target, _, _ = token[1].partition("|")
    return target.removeprefix("mailto:").removeprefix("!")


def _converted(markdown: str) -> list[str]:
    lines, fenced = list[str](), False
    for raw in markdown.replace("\r\n", "\n").strip("\n").split("\n"):
        if raw.lstrip().startswith(_FENCE):
            fenced = not fenced
            lines.append(_FENCE)
            continue
        for start in range(0, len(raw) or 1, _LINE):
            line = escaped(raw[start : start + _LINE])
            lines.append(line.replace(_FENCE, "'''") if fenced else _marked(line))
    return [*lines, _FENCE] if fenced else lines


def _marked(line: str) -> str:
    """One line of prose, escaped already. Code in it stays as it is."""
    if heading := _HEADING.fullmatch(line):
        return f"*{heading[1].replace('*', '')}*" if heading[1] else ""
    line = _BULLET.sub(r"\1• ", line, count=1) if _BULLET.match(line) else line
    parts = line.split("`")
    if len(parts) % 2 == 0:  # the last backtick opens nothing
        parts[-2:] = [f"{parts[-2]}'{parts[-1]}"]
    return "`".join(part if place % 2 else _inline(part) for place, part in enumerate(parts))


def _inline(text: str) -> str:
    text = _LINK.sub(lambda link: f"{link[1]} {link[2]}" if link[1] != link[2] else link[2], text)
    pieces, end = list[str](), 0
    for url in _URL.finditer(text):
        pieces += [_styled(text[end : url.start()]), f"<{url[0]}>"]
        end = url.end()
    return "".join([*pieces, _styled(text[end:])])


def _styled(text: str) -> str:
    text = _BOLD.sub("\x01\\2\x01", text)  # a character that nothing escaped holds
    text = _STRUCK.sub(r"~\1~", _ITALIC.sub(r"_\1_", text))
    return text.replace("\x01", "*")
