"""The commands about tickets: list, show, and every human action."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from pydantic import Field
from rich.console import Console as Terminal
from rich.table import Table
from temporalio.client import Client

from infra import board, home
from infra.cards import BadCard, CardMissing
from infra.client import (
    TicketLine,
    act,
    check,
    find_ticket,
    list_tickets,
    started_among,
    ticket_line,
    ticket_outcome,
    ticket_status,
)
from infra.console import Console, HarmlessMarkdown, safe
from infra.exits import Misused, NotFound, OutOfReach, PawlError, Refused
from infra.following import troubles
from infra.gateway_client import bill, spend_by_session
from infra.settings import Settings
from infra.temporal import connect
from infra.whoami import whoami
from workflows.domain.budget import TOKENS_OUT, Bill, Spend
from workflows.domain.decision import GATES, MOST_WORDS, Action, Decision, DecisionRecord, misnamed, short
from workflows.domain.model import Record
from workflows.domain.order import TicketOutcome, TicketStatus
from workflows.domain.ticket import Phase, Ticket
from workflows.domain.words import counted, what_waits

_RESUME = "resume {id}"
_COMMANDS: dict[Phase, tuple[str, ...]] = {
    **dict.fromkeys(GATES, ("approve {id} --of {subject}", 'request-changes {id} "what to change"', "reject {id}")),
    Phase.QUESTION: ('answer {id} --of {subject} "your answer"',),
    Phase.BUDGET_GATE: ("top-up {id} --usd 5", "abort {id}"),
    Phase.BLOCKED: (_RESUME, "abort {id}"),
}
"""What a person can type while the ticket waits."""
_TOKENS_OUT = ("top-up {id} --tokens 100000", "abort {id}")
_DONE = {Phase.DONE: "green", Phase.GAVE_UP: "red", Phase.DECLINED: "red", Phase.CANCELLED: "red"}


class Story(Record):
    """`pawl show` as JSON. What could not be had is null, and `missing` says why."""

    ticket: TicketLine
    status: TicketStatus | None = None
    outcome: TicketOutcome | None = None
    bill: Bill | None = None
    sessions: dict[str, Spend] = Field(default={})
    """What each session has used so far, as the gateway counts it."""
    trouble: tuple[str, ...] = ()
    """Steps that fail and are tried again just now."""
    missing: tuple[str, ...] = Field(default=())


async def list_all(console: Console, settings: Settings, *, waiting: bool, limit: int) -> None:
    """Tickets that were started, then the cards on the board that were not."""
    client = await connect(settings)
    lines = await list_tickets(client, waiting=waiting, limit=limit)
    listing = board.list_tickets(settings.board_folder)
    cards = [] if waiting else await _never_started(client, listing.tickets, lines, whole=len(lines) < limit)
    bad = [str(error) for error in listing.unreadable]

    def show(terminal: Terminal) -> None:
        if not lines and not cards:
            terminal.print(
                "Nothing waits for you." if waiting else f"No tickets yet. The board is {settings.board_folder}."
            )
        else:
            terminal.print(_table(lines, cards))
        for words in bad:
            terminal.print(f"[red]{safe(words)}[/]")

    console.result({"tickets": lines, "cards": cards, "unreadable": bad}, show)


async def _never_started(
    client: Client, cards: Sequence[Ticket], lines: Sequence[TicketLine], *, whole: bool
) -> list[Ticket]:
    """The cards of no ticket; unless the `lines` are the whole list, the server knows more tickets than those."""
    listed = {line.identifier for line in lines}
    others = [card for card in cards if card.identifier not in listed]
    older = set[str]() if whole else await started_among(client, [card.identifier for card in others])
    return [card for card in others if card.identifier not in older]


async def show(console: Console, settings: Settings, name: str) -> None:
    settings = home.located(settings)
    client = await connect(settings)
    try:
        workflow_id = await find_ticket(client, name)
    except NotFound:
        _show_card(console, settings, name)
        return
    story = await _story(client, settings, workflow_id)
    console.result(story, lambda terminal: tell(terminal, story))


async def decide(
    console: Console, settings: Settings, name: str, action: Action, decision: Decision, *, dry_run: bool
) -> None:
    """Take the action; what is refused ends with the ticket's own words."""
    if len(decision.note) > MOST_WORDS:
        raise Misused(f"The note cannot be used: it has more than {MOST_WORDS:,} characters.", "Say it in fewer.")
    if words := misnamed(decision.of):
        raise Misused(words, f"`pawl show {name}` shows the hash of what waits.")
    client = await connect(settings)
    workflow_id = await find_ticket(client, name)
    decision = decision if decision.by else decision.model_copy(update={"by": whoami()})
    if dry_run:
        await check(client, workflow_id, action, decision)
        status = await ticket_status(client, workflow_id)
        answer = f"Would be accepted now: {action} of {status.identifier} in {status.phase}."
    else:
        answer = await act(client, workflow_id, action, decision)
    answered = {"ticket": name, "action": action, "dry_run": dry_run, "answer": answer}
    console.result(answered, lambda terminal: terminal.print(safe(answer)))


async def _story(client: Client, settings: Settings, workflow_id: str) -> Story:
    line = await ticket_line(client, workflow_id)
    status, outcome, costs = None, await ticket_outcome(client, workflow_id), None
    trouble = tuple(one.sentence for one in await troubles(client, workflow_id))
    sessions: dict[str, Spend] = {}
    missing: list[str] = []
    try:
        status = await ticket_status(client, workflow_id)
        costs = await bill(settings, status.account)
        sessions = await spend_by_session(settings, status.account)
    except (OutOfReach, PawlError) as error:
        missing.append(f"{error.cause} {error.next_step}".strip())
    return Story(
        ticket=line,
        status=status,
        outcome=outcome,
        bill=costs,
        sessions=sessions,
        trouble=trouble,
        missing=tuple(missing),
    )


def tell(terminal: Terminal, story: Story) -> None:
    line, status = story.ticket, story.status
    if status is not None and line.ended is not None:
        status = status.model_copy(update={"paused": False})
    style = _DONE.get(status.phase, "bold yellow" if line.needs_person else "cyan") if status else "cyan"
    paused = " [bold yellow](paused)[/]" if status and status.paused else ""
    terminal.print(f"[bold]{safe(line.identifier)}[/] {safe(line.title)}  [{style}]{safe(line.phase)}[/]{paused}")
    if story.outcome is not None:
        terminal.print(safe(story.outcome.summary))
    if status is not None:
        _tell_status(terminal, status, story.sessions)
    if decisions := status.decisions if status else story.outcome.decisions if story.outcome else ():
        terminal.print()
        terminal.print(_decisions(decisions))
    costs = story.bill or (story.outcome.bill if story.outcome else None)
    if costs is not None:
        terminal.print(f"\n{_costs(costs)}")
    for words in (*story.trouble, *story.missing):
        terminal.print(f"\n[yellow]{safe(words)}[/]")


def _tell_status(terminal: Terminal, status: TicketStatus, spent: Mapping[str, Spend]) -> None:
    if status.waiting_for:
        terminal.print(f"\n[bold yellow]{safe(status.waiting_for)}[/]")
    for command in _commands(status):
        terminal.print(safe(f"  pawl {command.format(id=status.identifier, subject=short(status.subject))}"))
    if waits := what_waits(status):
        terminal.print()
        terminal.print(HarmlessMarkdown(waits))
    places = [f"Repository {status.repository}", f"branch {status.branch}" if status.branch else ""]
    if status.pull_request:
        places.append(f"pull request {status.pull_request.number}: {status.pull_request.url}")
    terminal.print(safe("\n" + ", ".join(place for place in places if place)))
    if status.unattended:
        terminal.print(safe(f"It may pass gates by itself: {status.unattended}"))
    if status.sessions:
        terminal.print(_sessions(status, spent))
    for sentence in status.story:
        terminal.print(f"  {safe(sentence)}")


def _commands(status: TicketStatus) -> tuple[str, ...]:
    answers = _COMMANDS.get(status.phase, ()) if status.waiting_for else ()
    if status.phase is Phase.BUDGET_GATE and TOKENS_OUT in status.waiting_for:
        answers = _TOKENS_OUT
    return (_RESUME, *answers) if status.paused and _RESUME not in answers else answers


def _sessions(status: TicketStatus, spent: Mapping[str, Spend]) -> Table:
    """Dollars that were paid, and beside them, where a tape plays, what its answers cost when they were recorded."""
    spends = [spent.get(session.session, session.spend) for session in status.sessions]
    taped = any(spend.recorded_usd for spend in spends)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("Session", "Turns", "Tokens", "Spent", *(("On the tape",) if taped else ()), "Ended"):
        table.add_column(heading, justify="left" if heading in ("Session", "Ended") else "right")
    for session, spend in zip(status.sessions, spends, strict=True):
        tape = (_dollars(spend.recorded_usd),) if taped else ()
        used = (str(spend.turns), f"{spend.tokens:,}", _dollars(spend.usd), *tape)
        table.add_row(safe(session.session), *used, safe(session.ended or "running"))
    return table


def _decisions(decisions: Sequence[DecisionRecord]) -> Table:
    """What people decided, oldest first. A name nobody vouches for stands alone."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("Decided", "In", "On", "By", "From", "When"):
        table.add_column(heading, overflow="fold")
    for one in decisions:
        who = f"{one.name or 'somebody who gave no name'}{f' ({one.who})' if one.who else ''}"
        by = (safe(who), safe(one.via or "Temporal"), f"{one.at.astimezone():%b %d %H:%M}")
        table.add_row(safe(one.action), safe(one.phase), safe(short(one.subject)), *by)
    return table


def _costs(costs: Bill) -> str:
    spend = costs.spend
    parts = [
        counted(spend.turns, "turn"),
        counted(spend.tokens, "token"),
        f"{_dollars(spend.usd)} spent",
    ]
    if spend.recorded_usd:
        parts.append(f"{_dollars(spend.recorded_usd)} on the tape")
    if costs.usd_ceiling is not None:
        parts.append(f"ceiling {_dollars(costs.usd_ceiling)}")
    return f"{', '.join(parts)}. Model calls bought twice: {costs.calls_bought_twice}."


def _table(lines: Sequence[TicketLine], cards: Sequence[Ticket]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("Ticket", "Phase", "Title", "Repository", "Cost", "Started"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "Cost" else "left")
    for line in lines:
        phase = f"[bold yellow]{safe(line.phase)}[/]" if line.needs_person else safe(line.phase)
        begun = f"{line.started.astimezone():%b %d %H:%M}"
        cost = _dollars(Decimal(str(line.usd)))
        table.add_row(safe(line.identifier), phase, safe(line.title), safe(line.repository), cost, begun)
    for card in cards:
        table.add_row(safe(card.identifier), f"[dim]{safe(card.status)}[/]", safe(card.title), "", "", "")
    return table


def _show_card(console: Console, settings: Settings, name: str) -> None:
    """A ticket that was never started is what its card says."""
    try:
        card = board.read(settings.board_folder, name)
    except CardMissing as error:
        raise NotFound(
            f"There is no ticket {name}: never started, and not on the board.", "See `pawl list`."
        ) from error
    except BadCard as error:
        raise Refused(str(error), "Mend the card.") from error

    def show(terminal: Terminal) -> None:
        terminal.print(f"[bold]{safe(card.identifier)}[/] {safe(card.title)}  [dim]{safe(card.status)}[/]")
        terminal.print(f"Not started. Start it: pawl run {safe(card.identifier)} --repo PATH_OR_URL")

    console.result({"ticket": None, "card": card}, show)


def _dollars(amount: Decimal) -> str:
    """Cents, and as much more as a small amount needs to be seen."""
    return f"${amount:.2f}" if not amount or amount >= 1 else f"${amount:.4f}"
