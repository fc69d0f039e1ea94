"""The tools that read and write single files of the checkout."""

import difflib
from dataclasses import dataclass
from shlex import quote

from activities.agent.tools import Call, Edit, View
from activities.agent.transcript import ToolResult
from workflows.ports.sandbox import BadSpec, Denied
from workflows.ports.workspace import Checkout

VIEW_LINES, VIEW_CHARS = 400, 20_000
FILE_BYTES = 2_000_000
REFUSED = (FileNotFoundError, Denied, BadSpec)
"""What the checkout says about a path that is not a file of it: for the model to read, not for people."""
NEAR_LINES = 4
"""Lines shown around the place that looks most like what an edit did not find."""


@dataclass(frozen=True)
class Write:
    """A write that was decided: the whole new content and what the model is told when it is done."""

    path: str
    data: bytes
    text: str


async def view(checkout: Checkout, job: str, call: Call, asked: View) -> ToolResult:
    line = f"view {asked.path}"
    try:
        text = (await checkout.read(asked.path, FILE_BYTES)).decode(errors="replace")
    except REFUSED as error:
        listing = await checkout.run(job, f"cd -- {quote(f'./{asked.path}')} && ls -1Ap | head -n {VIEW_LINES}", 30)
        if listing.ok:
            return call.result(listing.output or "(empty folder)", line)
        return call.result(_why_not(asked.path, error), f"{line}: cannot be read", ok=False)
    lines = text.splitlines()
    end = min(asked.end or len(lines), asked.start + VIEW_LINES - 1, len(lines))
    if not lines:
        return call.result("(empty file)", line)
    if asked.start > len(lines):
        return call.result(f"{asked.path} has only {len(lines)} lines.", line, ok=False)
    if end < asked.start:
        return call.result(f"The part from {asked.start} to {end} ends before it starts.", line, ok=False)
    shown = _numbered(lines, asked.start, end)
    if len(shown) > VIEW_CHARS:
        shown = f"{shown[:VIEW_CHARS]}\n[cut here: ask for fewer lines]"
    elif end < len(lines):
        shown = f"{shown}\n[{len(lines)} lines in all]"
    return call.result(shown, line)


async def plan_edit(checkout: Checkout, call: Call, asked: Edit) -> Write | ToolResult:
    """What the edit comes to, from the file as it is now; nothing is written yet."""
    line = f"edit {asked.path}: not done"
    try:
        before = (await checkout.read(asked.path, FILE_BYTES)).decode()
    except FileNotFoundError as error:
        if not asked.old:
            return Write(asked.path, asked.new.encode(), f"Created {asked.path}.")
        return call.result(_why_not(asked.path, error), line, ok=False)
    except UnicodeDecodeError:
        return call.result(f"{asked.path} is not UTF-8 text; change it with bash.", line, ok=False)
    except REFUSED as error:
        return call.result(_why_not(asked.path, error), line, ok=False)
    try:
        after, places = _replaced(before, asked)
    except ValueError as error:
        return call.result(str(error), line, ok=False)
    where = f"line {places[0]}" if len(places) == 1 else f"{len(places)} places"
    return Write(asked.path, after.encode(), f"Edited {asked.path} at {where}.")


def _replaced(before: str, asked: Edit) -> tuple[str, list[int]]:
    """The new text and the lines that changed. Raises ValueError, in words for the model, rather than guess."""
    old, new = asked.old, asked.new
    if "\r\n" in before and "\r\n" not in old:  # view shows lines without their ends, so the model cannot know
        old, new = old.replace("\n", "\r\n"), new.replace("\r\n", "\n").replace("\n", "\r\n")
    if not old:
        raise ValueError(f"{asked.path} exists. To change it, give the text to replace as `old`.")
    if old == new:
        raise ValueError("`old` and `new` are equal: nothing would change.")
    places = _places(before, old)
    if not places:
        raise ValueError(f"`old` is not in {asked.path}, character by character.{_nearest(before, asked.old)}")
    if len(places) > 1 and not asked.replace_all:
        listed = ", ".join(map(str, places[:20]))
        raise ValueError(f"`old` is in {asked.path} {len(places)} times, at lines {listed}. Give more of the text.")
    return before.replace(old, new), places


def _places(text: str, part: str) -> list[int]:
    """The line each place begins on, of places that do not overlap."""
    found: list[int] = []
    at, line = text.find(part), 1
    last = 0
    while at >= 0:
        line += text.count("\n", last, at)
        found.append(line)
        last, at = at, text.find(part, at + len(part))
    return found


def _nearest(text: str, old: str) -> str:
    """The lines of the file that look most like the first line that was looked for."""
    lines = text.splitlines()
    wanted = next((line.strip() for line in old.splitlines() if line.strip()), "")
    stripped = [line.strip() for line in lines]
    close = difflib.get_close_matches(wanted, set(stripped[:20_000]), n=1, cutoff=0.5) if wanted else []
    if not close:
        return " No line looks like it; view the file first."
    at = stripped.index(close[0]) + 1
    start, end = max(1, at - NEAR_LINES), min(len(lines), at + NEAR_LINES + old.count("\n"))
    return f" The nearest lines are:\n{_numbered(lines, start, end)}"


def _numbered(lines: list[str], start: int, end: int) -> str:
    return "\n".join(f"{number:>5}  {lines[number - 1]}" for number in range(start, end + 1))


def _why_not(path: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return (
            f"There is no file {path}. Paths start at the root of the checkout; search without a pattern lists files."
        )
    return f"{path} cannot be used: {error}"
