"""`pawl run`: from a card to a running ticket."""

import asyncio
from decimal import Decimal
from pathlib import Path

from rich.console import Console as Terminal
from temporalio.client import Client

from infra import board, home
from infra.cards import COMMENTS, TRACKER, BadCard, CardMissing, labels_of, word
from infra.client import Started, TicketLine, start_ticket, ticket_line
from infra.console import Console, safe
from infra.exits import Exit, Misused, NotFound, OutOfReach, PawlError, Refused, Told
from infra.following import news, statuses, tell_troubles
from infra.gateway.player import TAPE
from infra.gateway.tape import Tape, TapeError, read_tape
from infra.gateway_client import keep_tape
from infra.pages import BadPage, FrontMatter, Page
from infra.repositories import named_repository
from infra.settings import Settings
from infra.temporal import connect
from workflows import names
from workflows.domain.events import phase_of
from workflows.domain.model import Record
from workflows.domain.order import TicketOrder, TicketStatus
from workflows.domain.ticket import Phase, Ticket, TicketRef

_LOOK_SECONDS = 0.5
_DRY_RUN_SECONDS = 3.0
_TITLE = 300
"""How much of a title names the ticket in lists and links; the card has it whole."""


class RunRequest(Record):
    """What the person typed after `pawl run`."""

    ticket: str
    """Identifier of a card on the board, or the path of a Markdown file that is put on the board."""
    repository: str
    base_branch: str = ""
    model: str = ""
    tape: Path | None = None
    usd: Decimal | None = None
    dry_run: bool = False
    watch: bool = False


async def run(console: Console, settings: Settings, request: RunRequest) -> None:
    settings = home.located(settings)
    _same_board(settings)
    repository, tape = named_repository(request.repository, request.base_branch), _tape(request)
    model = f"{TAPE}:{tape.digest}" if tape else named_model(request.model or settings.model)
    card = _card(settings, request)
    order = TicketOrder(
        ref=card.ref,
        identifier=card.identifier,
        title=card.title[:_TITLE],
        repository=repository,
        base_branch=request.base_branch,
        model=model,
        reviewer_model="" if tape else settings.reviewer_model,
        usd=request.usd,
        version=card.version,
        label=_label(tape) if tape else "",
    )
    if request.dry_run:
        await _tell_dry_run(console, settings, order)
        return
    if request.tape is not None:
        await keep_tape(settings, request.tape.read_bytes())
    client = await connect(settings)
    started = await start_ticket(client, order)
    link = _link(settings, started)

    def show(terminal: Terminal) -> None:
        named = f"[bold]{safe(_named(order))}[/]"
        answers = f"the tape “{tape.manifest.title}”" if tape else order.model
        terminal.print(f"Started {named} with {safe(answers)}" if started.fresh else f"Already under way: {named}")
        if link:
            terminal.print(f"In the Temporal UI: {link}")

    console.result({**started.model_dump(), "identifier": order.identifier, "ui": link}, show)
    if request.watch:
        await watch(console, client, started.workflow_id)


async def _tell_dry_run(console: Console, settings: Settings, order: TicketOrder) -> None:
    under_way = await _is_under_way(settings, order)
    words = (
        f"{_named(order)} is under way already: nothing would be started."
        if under_way
        else f"Would start {_named(order)} on {order.repository}."
    )
    said = {"dry_run": True, "order": order, "under_way": under_way}
    console.result(said, lambda terminal: terminal.print(safe(words)))


async def _is_under_way(settings: Settings, order: TicketOrder) -> bool | None:
    """None when no server tells: a dry run needs none."""
    try:
        client = await connect(settings, wait_seconds=_DRY_RUN_SECONDS)
        line = await ticket_line(client, names.ticket_workflow_id(order.ref))
    except NotFound:
        return False
    except PawlError:
        return None
    return line.ended is None


async def watch(console: Console, client: Client, workflow_id: str) -> None:
    """Tell the story as it goes on, and what stands in its way, until the ticket has ended. Raises Told when it ended
    elsewhere than in Done."""
    telling = asyncio.create_task(tell_troubles(client, workflow_id, lambda trouble: console.remark(trouble.sentence)))
    try:
        await _tell_story(console, client, workflow_id)
    finally:
        telling.cancel()
        await asyncio.wait([telling])
    line = await ticket_line(client, workflow_id)
    _tell_end(console, line)
    if line.phase != Phase.DONE:
        raise Told(Exit.REFUSED)


async def _tell_story(console: Console, client: Client, workflow_id: str) -> None:
    """Until the ticket has ended. What waits for a person is said once."""
    told, asked, quiet = "", "", False

    def away(error: OutOfReach) -> None:
        nonlocal quiet
        if not quiet:
            console.remark(f"{error.cause} Waiting.")
        quiet = True

    async for status in statuses(client, workflow_id, _LOOK_SECONDS, away):
        quiet = False
        _tell(console, status, told)
        told = status.story[-1] if status.story else ""
        if status.waiting_for and status.waiting_for != asked:
            console.remark(f"{status.waiting_for}. See `pawl show {status.identifier}`; this goes on watching.")
        asked = status.waiting_for


def _tell(console: Console, status: TicketStatus, told: str) -> None:
    for sentence in news(status.story, told):
        if console.as_json:
            console.line({"identifier": status.identifier, "phase": status.phase, "story": sentence})
        else:
            console.terminal.print(safe(sentence))


def _tell_end(console: Console, line: TicketLine) -> None:
    ended = f"{safe(line.identifier)}: [bold]{safe(line.phase)}[/]"
    said = {"identifier": line.identifier, "phase": line.phase, "ended": True}
    console.result(said, lambda terminal: terminal.print(ended))


def _card(settings: Settings, request: RunRequest) -> Ticket:
    """The card on the board, put there first when the person named a file that lies elsewhere."""
    folder, path = settings.board_folder, Path(request.ticket)
    if path.suffix != ".md":
        return _read(folder, request.ticket)
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", "Name a Markdown file, or a card by its identifier.")
    if path.resolve().parent == folder.resolve():
        return _read(folder, path.stem)
    title, body, labels, status = _page(path)
    if phase_of(status) is not Phase.TODO and not (folder / path.name).exists():
        raise Refused(
            f"{path} says status: {status}, and a new ticket begins in {Phase.TODO}.",
            f"If it is to be worked on, write status: {Phase.TODO} or leave the line out.",
        )
    try:
        if request.dry_run:
            board.drafted(title, body, labels=labels)
            board.check_free(folder, path.stem)
            return Ticket(
                ref=TicketRef(tracker=TRACKER, id=path.stem),
                identifier=path.stem,
                title=title,
                body=body,
                status=Phase.TODO,
                labels=labels,
            )
        return board.create_ticket(folder, path.stem, title, body, labels=labels)
    except ValueError as error:
        raise Misused(str(error), "Rename the file.") from error
    except board.CardTooLarge as error:
        raise Misused(f"{path}: {error}", "Shorten it, or put what is long into the repository.") from error
    except FileExistsError as error:
        there = _read(folder, path.stem)
        described = Page(FrontMatter.of({}), body).body(COMMENTS).strip()
        if (there.title, there.body.strip()) == (title, described):
            return there
        raise Refused(
            f"The board has another ticket {path.stem} already.", f"Rename the file, or run {path.stem} itself."
        ) from error


def _read(folder: Path, identifier: str) -> Ticket:
    try:
        return board.read(folder, identifier)
    except CardMissing as error:
        raise NotFound(str(error), "`pawl list` shows the board.") from error
    except BadCard as error:
        raise Misused(str(error)) from error


def _page(path: Path) -> tuple[str, str, tuple[str, ...], str]:
    """Title, text, labels and status of a Markdown file: the title from its front matter, else its first heading, else
    its name; the status Todo when it names none."""
    try:
        page = Page.parse(path.read_bytes())
        labels = labels_of(page)
    except BadPage as error:
        raise Misused(f"{path}, line {error.line}: {error.cause}") from error
    text, status = page.text.strip(), word(page.head.get("status")) or Phase.TODO
    if title := word(page.head.get("title")):
        return title, text, labels, status
    first, _, rest = text.partition("\n")
    title, text = (first.lstrip("# ").strip(), rest.strip()) if first.startswith("#") else (path.stem, text)
    return title, text, labels, status


def _tape(request: RunRequest) -> Tape | None:
    if request.tape is None:
        return None
    if request.model:
        raise Misused("A tape answers instead of a model.", "Give --tape or --model, not both.")
    if not request.tape.is_file():
        raise NotFound(f"There is no tape {request.tape}.")
    try:
        return read_tape(request.tape.read_bytes())
    except TapeError as error:
        raise Misused(f"{request.tape}, {error}", "docs/tape.md describes the format.") from error


def _label(tape: Tape) -> str:
    """What ticket and pull request say about a run from this tape."""
    told = tape.manifest
    return (
        f"{told.kind.upper()}: the model's answers come from the tape “{told.title}” by {told.by}. No model is called."
    )


def named_model(model: str, otherwise: str = "; or play a tape: --tape FILE.") -> str:
    """The model, if it can be one. Raises Misused."""
    if ":" not in model:
        raise Misused(
            f"{model!r} is not a model." if model else "No model is named.",
            "Give --model provider:model or set PAWL_MODEL, for example anthropic:claude-sonnet-4-5" + otherwise,
        )
    return model


def _same_board(settings: Settings) -> None:
    stack = home.stack_file(settings)
    if stack is not None and Path(stack.board).resolve() != settings.board_folder.resolve():
        raise Refused(
            f"The worker of this home works on the board {stack.board}, not {settings.board_folder}.",
            "Leave out --board, or start `pawl up` with PAWL_BOARD set to it.",
        )


def _named(order: TicketOrder) -> str:
    return f"{order.identifier} {order.title}".strip()


def _link(settings: Settings, started: Started) -> str:
    """Where the Temporal UI shows the ticket; empty when the UI is not ours to know."""
    stack = home.stack_file(settings)
    return home.ui_link(stack.ui, started.workflow_id, started.run_id) if stack and stack.ui else ""
