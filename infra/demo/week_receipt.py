"""The last word of the week: what it took, counted where it was recorded, and which promise was broken."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from infra import board
from infra.demo.attend import pull_requests
from infra.demo.nights import WEEK, Ran, state_of
from infra.settings import Settings
from workflows.domain.model import Record
from workflows.domain.order import TicketOutcome
from workflows.domain.ticket import Phase
from workflows.domain.triage import Entry, Kind, NightOutcome, Standing, TriageState, Verdict
from workflows.domain.triage_look import LABEL
from workflows.domain.words import counted


class Told(NamedTuple):
    """What people can have read by now: the cards of the board, and the notes."""

    cards: frozenset[tuple[str, str]]
    notes: int


class WeekReceipt(Record):
    """The JSON object a script reads."""

    nights: int
    silent_nights: int
    """Nobody was told anything."""
    nights_without_a_model: int
    calls_in_them: int
    findings: dict[str, int]
    """By how they stand."""
    not_raised_again: int
    flaky: int
    tickets: int
    """Filed by triage."""
    started: int
    notes: int
    """Messages beside the tickets: that the started one waits at a gate."""
    pull_requests: int
    calls: int
    calls_bought_twice: int
    recorded_usd: float
    spent_usd: float
    broken: tuple[str, ...] = ()
    """The promises that were not kept."""
    seconds: float


def told(settings: Settings) -> Told:
    cards = frozenset((path.name, path.read_text()) for path in settings.board_folder.glob("*.md"))
    notes = settings.home / "notes.log"
    return Told(cards, len(notes.read_text().splitlines()) if notes.exists() else 0)


def receipt(
    settings: Settings, ran: Sequence[Ran], tickets: Sequence[TicketOutcome], chatty: Sequence[str], seconds: float
) -> WeekReceipt:
    """`chatty`: the nights that call themselves silent, and after which there was more to read than before."""
    state, outcomes = state_of(settings), [one.outcome for one in ran]
    unasked = [one for one in ran if not one.outcome.asked]
    bills = [*(one.bill for one in ran), *(ticket.bill for ticket in tickets)]
    counts = WeekReceipt(
        nights=len(ran),
        silent_nights=sum(one.silent for one in outcomes),
        nights_without_a_model=len(unasked),
        calls_in_them=sum(one.bill.calls for one in unasked),
        findings=dict(Counter(entry.standing.value for entry in state.findings)),
        not_raised_again=sum(one.known for one in outcomes),
        flaky=sum(entry.kind is Kind.FLAKY_TEST for entry in state.findings),
        tickets=sum(LABEL in ticket.labels for ticket in board.list_tickets(settings.board_folder).tickets),
        started=sum(len(one.started) for one in outcomes),
        notes=told(settings).notes,
        pull_requests=pull_requests(settings),
        calls=sum(one.calls for one in bills),
        calls_bought_twice=sum(one.calls_bought_twice for one in bills),
        recorded_usd=float(round(sum(one.spend.recorded_usd for one in bills), 6)),
        spent_usd=float(round(sum(one.spend.usd for one in bills), 6)),
        seconds=round(seconds, 1),
    )
    return counts.model_copy(update={"broken": tuple(_broken(counts, state, outcomes, tickets, chatty))})


def _broken(
    counts: WeekReceipt,
    state: TriageState,
    nights: Sequence[NightOutcome],
    tickets: Sequence[TicketOutcome],
    chatty: Sequence[str],
) -> Iterable[str]:
    promises = {
        f"{len(WEEK)} nights are run": counts.nights == len(WEEK),
        "every night ends without trouble": not any(one.trouble or one.warning for one in nights),
        "a night asks a model when something happened, and else none": [one.asked for one in nights]
        == [bool(night.tape) for night in WEEK[: len(nights)]],
        "a night without news makes no model call": counts.calls_in_them == 0,
        f"a silent night says nothing: {', '.join(chatty) or 'none does'}": not chatty,
        "people hear of two nights, and of no other": counts.silent_nights == len(WEEK) - 2,
        "two tickets are filed": counts.tickets == 2,
        "one of them is started": counts.started == 1,
        "it is done": [ticket.phase for ticket in tickets] == [Phase.DONE],
        "there is one pull request": counts.pull_requests == 1,
        "what fails every time was seen to": _verdicts(state, Standing.FIXED)[:1] == [Verdict.CONFIRMED],
        "what fails now and then is called flaky": _verdicts(state, Standing.TICKETED) == [Verdict.FLAKY]
        and counts.flaky == 1,
        "what is fixed is seen to be": _verdicts(state, Standing.FIXED)[1:] == [Verdict.REFUTED],
        "what is not true stays in the record": counts.findings.get(Standing.REFUTED) == 1,
        "what is known is not raised again": counts.not_raised_again == 1 and len(state.findings) == 3,
        "no model call is bought twice": counts.calls_bought_twice == 0,
    }
    return (promise for promise, kept in promises.items() if not kept)


def _verdicts(state: TriageState, standing: Standing) -> list[Verdict]:
    return [tried.verdict for entry in state.findings if entry.standing is standing for tried in entry.tried]


def lines(receipt: WeekReceipt) -> list[tuple[str, str]]:
    """The receipt for people: what, how much."""
    findings = ", ".join(f"{number} {standing}" for standing, number in sorted(receipt.findings.items()))
    return [
        ("nights", f"{receipt.nights}"),
        ("  in which nobody was told", f"{receipt.silent_nights}"),
        ("  without a model", f"{receipt.nights_without_a_model}, {counted(receipt.calls_in_them, 'call')}, $0.00"),
        ("findings", findings or "none"),
        ("  not raised again", f"{receipt.not_raised_again}"),
        ("  named flaky", f"{receipt.flaky}"),
        ("tickets filed", f"{receipt.tickets}, {receipt.started} of them started"),
        ("notes sent", f"{receipt.notes}"),
        ("pull requests opened", f"{receipt.pull_requests}"),
        ("model calls", f"{receipt.calls}, bought twice {receipt.calls_bought_twice}"),
        ("recorded cost", f"${receipt.recorded_usd:.2f}"),
        ("spent now", f"${receipt.spent_usd:.2f}"),
        ("time", f"{receipt.seconds:.0f} s"),
        ("broken promises", "; ".join(receipt.broken) or "none"),
    ]


def words(entry: Entry) -> str:
    """How a finding stands after a night, as one line."""
    last = entry.tried[-1] if entry.tried else None
    shown = f"fails in {last.failed} of {counted(last.runs, 'run')}" if last else "was not tried"
    match entry.standing:
        case Standing.STARTED:
            return f"{entry.subject} {shown}: {entry.identifier} is filed and started."
        case Standing.TICKETED:
            return f"{entry.subject} {shown}, a {entry.kind}: {entry.identifier} is a draft, and nobody has begun it."
        case Standing.REFUTED:
            return f"{entry.subject} {shown}: refuted. It stays in the record, and nobody is told."
        case Standing.FIXED:
            return f"{entry.subject} {shown} now: it is fixed."
        case _:
            return f"{entry.subject} {shown}: {entry.standing}."
