"""What a note looks like in Slack."""

from activities.slack.calls import Json
from activities.slack.messages import context, section
from workflows.domain.chat import ANSWER, APPROVE, REQUEST_CHANGES, Bound
from workflows.domain.decision import GATES, short
from workflows.domain.mrkdwn import escaped, one_line, sections
from workflows.domain.ticket import Phase
from workflows.ports.notify import Note

_SIGN = {
    Phase.BLOCKED: ":warning:",
    Phase.DONE: ":white_check_mark:",
    Phase.QUESTION: ":question:",
    Phase.BUDGET_GATE: ":moneybag:",
    **dict.fromkeys(GATES, ":raised_hand:"),
}
_BUTTONS = {
    **dict.fromkeys(GATES, ((APPROVE, "Approve", "primary"), (REQUEST_CHANGES, "Request changes", ""))),
    Phase.QUESTION: ((ANSWER, "Answer", "primary"),),
}


def head_text(note: Note) -> str:
    """What notifications show."""
    return f"{one_line(note.identifier, 60)} {note.phase}: {one_line(note.text, 200)}"


def head_blocks(note: Note, digest: str) -> list[Json]:
    """The ticket as it stands, and the buttons while it waits for a decision."""
    title = f"{_SIGN.get(note.phase, ':gear:')} *{one_line(note.identifier, 60)}* {one_line(note.title, 120)}".strip()
    facts = [f"*{note.phase}*", f"`{escaped(short(note.subject))}`" if note.subject else "", _link(note.url)]
    blocks = [section(f"{title}\n{one_line(note.text, 300)}"), context("  ".join(fact for fact in facts if fact))]
    return [*blocks, *_buttons(note, digest)]


def detail_blocks(note: Note) -> list[Json]:
    pieces = sections(f"{note.text}\n\n{note.body}" if note.body else note.text, most=12)
    return [section(piece) for piece in pieces] or [section(str(note.phase))]


def alarm_blocks(note: Note) -> list[Json]:
    title = f":rotating_light: *{one_line(note.identifier, 60)}* {note.phase} {_link(note.url)}".strip()
    return [section(title), *detail_blocks(note)]


def _buttons(note: Note, digest: str) -> list[Json]:
    """Bound to the ticket and to the hash that is shown."""
    offered = _BUTTONS.get(note.phase, ())
    if not (note.ticket and note.subject and offered):
        return []
    bound = Bound(ref=note.ticket, identifier=note.identifier[:100], subject=note.subject[:64], note=digest)
    value = bound.model_dump_json()
    elements = [
        {"type": "button", "action_id": action, "text": {"type": "plain_text", "text": label}, "value": value}
        | ({"style": style} if style else {})
        for action, label, style in offered
    ]
    return [{"type": "actions", "block_id": f"pawl-{digest}", "elements": elements}]


def _link(url: str) -> str:
    safe = url.startswith(("https://", "http://")) and not set(url) & set("<>|\n ")
    return f"<{escaped(url)}|open>" if safe else ""
