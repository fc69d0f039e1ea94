"""The demo from beginning to end: one ticket, two gates, one kill, one receipt."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from infra import board, client
from infra.demo.attend import attend, command, pawl, pull_requests, show_places
from infra.demo.project import Project, prepare
from infra.demo.receipt import Receipt, lines, receipt
from infra.demo.screen import Screen
from infra.demo.stage import clear, handed_in, leave_others_alone, own_home, running, settings_for
from infra.demo.story import Turns
from infra.demo.terms import CEILING, SCRIPTED, Terms, terms
from infra.demo.watch import kill_in_the_middle
from infra.exits import Exit, Refused, Told
from infra.journal import JournalStore, journal_of
from infra.settings import Settings
from infra.stack import Stack
from workflows.domain.order import TicketOrder, TicketOutcome
from workflows.domain.ticket import Phase
from workflows.ports.journal import EntryKind

TICKET = "ENG-1"
_HERE = Path(__file__).parent
_MOST_TURNS = 10_000


class Made(NamedTuple):
    """What the demo made of its ticket."""

    receipt: Receipt
    outcome: TicketOutcome


async def play(*, yes: bool = False, json: bool = False) -> int:
    """Run the demo and return its exit code: 0 only when the ticket is done, no call was bought twice and one pull
    request was opened. `yes` decides every gate by itself. Raises PawlError; Told when SIGTERM ended it."""
    screen = Screen(json=json, listens=not yes)
    leave_others_alone()
    operators = Settings()
    agreed, root = terms(operators), operators.home.absolute() / "demo"
    await _announce(screen, agreed, root, asks=not yes)
    own = own_home(operators, root)
    await asyncio.to_thread(clear, own, screen.line)
    try:
        with heeding_signals():
            project = await asyncio.to_thread(prepare, root, screen.line)
            settings = settings_for(own, project, agreed)
            async with running(settings, screen) as stack:
                made = await _ticket_made(stack, project, agreed, screen, yes=yes)
    except BaseException:
        screen.text(f"The demo has stopped. What its processes said is in {root / 'logs'}", "bold red")
        raise
    _show(screen, made, settings)
    if json:
        print(made.receipt.model_dump_json(), flush=True)
    return _exit_code(made.receipt)


@contextmanager
def heeding_signals() -> Generator[None]:
    """Let SIGTERM and a closed terminal end the task as Ctrl-C does, so that processes are given back. Raises Told
    then."""
    loop, task, told = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()

    def stop() -> None:
        told.set()
        if task is not None:
            task.cancel()

    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # as under nohup
    heeded = [signal.SIGTERM] if ignored else [signal.SIGTERM, signal.SIGHUP]
    for number in heeded:
        loop.add_signal_handler(number, stop)
    try:
        yield
    except asyncio.CancelledError:
        if not told.is_set():
            raise
        raise Told(Exit.INTERRUPTED) from None
    finally:
        for number in heeded:
            loop.remove_signal_handler(number)


async def _announce(screen: Screen, agreed: Terms, root: Path, *, asks: bool) -> None:
    """Say what will happen, and ask first where it costs money. Raises Refused."""
    screen.text("Pawl turns a ticket into a reviewed pull request. This demo does it once, on your machine.", "bold")
    screen.text(
        "It fetches a released Python library, puts a real ticket on a local board, plans, waits for you, builds in a\n"
        "sandbox, kills its own worker in the middle, opens a pull request, reviews, fixes, waits for you and merges.\n"
        f"Everything it makes is in {root}"
    )
    if not agreed.live:
        screen.text(SCRIPTED, "yellow")
        return
    screen.text(
        f"LIVE: {agreed.model} answers, paid with your key. It may spend ${CEILING}, and then it waits.", "yellow"
    )
    if asks and not (screen.listens and (await screen.words("Go on? [y/N]")).lower() in ("y", "yes")):
        raise Refused(
            "Nothing was started and nothing was spent.", "Start the live demo with --yes to agree beforehand."
        )


async def _ticket_made(stack: Stack, project: Project, agreed: Terms, screen: Screen, *, yes: bool) -> Made:
    """Put the ticket on the board, start it and stay with it to its end."""
    settings = stack.settings
    model = agreed.model or await handed_in(settings, "tape.jsonl")
    title, _, body = (_HERE / "ticket.md").read_text().partition("\n")
    card = board.create_ticket(settings.board_folder, TICKET, title.removeprefix("# "), body, labels=("demo",))
    screen.line(f"{TICKET} is on the board: {card.url}")
    order = TicketOrder(
        ref=card.ref,
        identifier=card.identifier,
        title=card.title,
        repository=str(project.repository),
        model=model,
        reviewer_model=agreed.reviewer_model,
        usd=agreed.usd,
        version=card.version,
        label="" if agreed.live else SCRIPTED,
    )
    started = await client.start_ticket(stack.client, order)
    journal = journal_of(settings)
    try:
        return await _watched(stack, journal, started, screen, yes=yes)
    finally:
        journal.close()


async def _watched(stack: Stack, journal: JournalStore, started: client.Started, screen: Screen, *, yes: bool) -> Made:
    """Stay with the ticket, kill the worker once, and count at the end."""
    turns, kill = Turns(journal, screen), kill_in_the_middle(stack, journal, screen)
    outcome, account = await attend(stack, started, TICKET, turns, screen, yes=yes, beside=(kill,))
    taken = journal.events(account, kinds=[EntryKind.TURN], limit=_MOST_TURNS)
    return Made(
        receipt(
            outcome,
            turns=len(taken),
            pull_requests=pull_requests(stack.settings),
            events=stack.events,
            seconds=screen.seconds,
        ),
        outcome,
    )


def _show(screen: Screen, made: Made, settings: Settings) -> None:
    screen.text()
    screen.text("The receipt", "bold")
    for what, much in lines(made.receipt, made.outcome):
        screen.text(f"  {what:<26} {much}")
    places = [
        ("the ticket with its comments", str(settings.board_folder / f"{TICKET}.md")),
        ("the pull request", made.outcome.pull_request.url if made.outcome.pull_request else "none was opened"),
        ("the Temporal UI, again", command(settings, "up")),
        ("your own repository", f"{pawl()} up, and in another terminal"),
        ("", f"{pawl()} run TICKET --repo PATH_OR_URL"),
    ]
    show_places(screen, places)


def _exit_code(receipt: Receipt) -> int:
    if receipt.kept_every_promise:
        return Exit.OK
    return Exit.BUG if receipt.phase is Phase.DONE else Exit.REFUSED
