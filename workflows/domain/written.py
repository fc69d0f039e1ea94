"""What Pawl writes into a ticket of its own again and again, and how much of a ticket is passed on."""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from workflows.domain.events import phase_of
from workflows.domain.size import size
from workflows.domain.ticket import Ticket

NOTES = "## Notes"
"""What people write in a ticket of Pawl's own below this line is theirs: Pawl rewrites what is above it."""
MOST_LISTED = 4_000
"""Characters of a body where many tickets are told of."""
_MOST_BYTES = 600_000
"""Of tickets that are told of together."""
_LEAST_TOLD = 200
"""Characters of a body; less says nothing."""
CUT = "\n\n[cut: too long]"

_BULLET = re.compile(r"^[ \t]*[*+-][ \t]+", re.MULTILINE)
_BLANKS = re.compile(r"\s+")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


def rewritten(old: str, new: str, most: int) -> str:
    """The new text with what people noted in the old one, at most `most` characters: of the notes as many as fit into
    half of them, and the rest for what is new. Said again it is the same."""
    _, theirs = _parted(old)
    if not theirs:
        return cut(_lines(new), most)
    above, notes = _parted(new)[0].rstrip(), cut(theirs.rstrip(), most // 2)
    return f"{cut(above, most - len(notes) - 2)}\n\n{notes}"


def cut(text: str, most: int) -> str:
    """At most so many characters; where that is less than all, the end says so, and no code block is left open."""
    if len(text) <= most:
        return text
    room = max(most - len(CUT) - 10, 0)
    return (closed(text[:room].rstrip()) + CUT)[:most]


def closed(text: str) -> str:
    """The text without a code block that is never closed: it would hide whatever follows."""
    fence = ""
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if not found:
            continue
        mark, rest = found[1], found[2]
        if not fence:
            fence = "" if mark[0] == "`" and "`" in rest else mark
        elif mark[0] == fence[0] and len(mark) >= len(fence) and not rest.strip():
            fence = ""
    return f"{text}\n{fence}" if fence else text


def words_of(text: str) -> str:
    """What a text says, however a tracker gives back the Markdown it was given: with other bullets, other blanks, more
    escapes."""
    return _BLANKS.sub(" ", _BULLET.sub("- ", text.replace("\\", ""))).strip()


def text_digest(title: str, body: str) -> str:
    """The same for what says the same, in hexadecimal digits."""
    return hashlib.sha256(f"{words_of(title)}\n{words_of(body)}".encode()).hexdigest()[:16]


def is_open(ticket: Ticket) -> bool:
    """Whether something is to be done. A ticket in the column of a final phase has ended, though the tracker may count
    it as open."""
    phase = phase_of(ticket.status)
    return not ticket.closed and not (phase and phase.is_final)


def listed(tickets: Sequence[Ticket], most: int = MOST_LISTED) -> tuple[Ticket, ...]:
    """Tickets as they are told of among many, each body at most `most` characters: fewer where there are many, so that
    they travel together. Those at the end that do not fit even without bodies are left out."""
    short = [ticket.model_copy(update={"body": cut(ticket.body, most), "attachments": ()}) for ticket in tickets]
    lengths = list(accumulate(map(size, short)))
    if most and lengths and lengths[-1] > _MOST_BYTES:
        return listed(tickets, most // 2 if most > _LEAST_TOLD else 0)
    return tuple(short[: bisect_right(lengths, _MOST_BYTES)])


def carries(ticket: Ticket, labels: tuple[str, ...]) -> bool:
    """Whether it has all of the labels, in whatever letters."""
    return {label.casefold() for label in labels} <= {label.casefold() for label in ticket.labels}


def _parted(text: str) -> tuple[str, str]:
    """What is above the notes, and the notes with their heading; none where nothing stands below it."""
    lines = _lines(text).split("\n")
    at = next((n for n in range(len(lines) - 1, -1, -1) if lines[n].strip().casefold() == NOTES.casefold()), None)
    if at is None:
        return _lines(text), ""
    above, below = "\n".join(lines[:at]), "\n".join(lines[at:])
    return above, below if below.strip() != lines[at].strip() else ""


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n")
