"""A week of nightly triage on one repository: seven real runs of one schedule, each for its own past night."""

import asyncio
from typing import NamedTuple

from infra import client, home, scheduled
from infra.demo import people
from infra.demo.attend import attend, command, pawl, show_places
from infra.demo.nights import (
    BEFORE_THE_WEEK,
    POLICY,
    WEEK,
    Night,
    Ran,
    run_night,
    scheduled_triage,
    state_file,
    state_of,
)
from infra.demo.people import Commit
from infra.demo.play import heeding_signals
from infra.demo.project import Author, Project, prepare
from infra.demo.screen import Screen
from infra.demo.stage import clear, leave_others_alone, own_home, running, settings_for
from infra.demo.story import Turns, tell_troubles
from infra.demo.terms import SCRIPTED, Terms
from infra.demo.week_receipt import WeekReceipt, lines, receipt, told, words
from infra.exits import Exit
from infra.journal import JournalStore, journal_of
from infra.settings import Settings
from infra.stack import Stack
from workflows import names
from workflows.domain.order import TicketOutcome
from workflows.domain.ticket import Phase, TicketRef
from workflows.domain.triage import TriageState

_PAUSED = "The demo runs its nights by backfill."


class _Week(NamedTuple):
    """What the week goes on with from night to night."""

    stack: Stack
    project: Project
    journal: JournalStore
    screen: Screen
    turns: Turns
    yes: bool
    ran: list[Ran]
    tickets: list[TicketOutcome]
    chatty: list[str]


async def play_week(*, yes: bool = False, json: bool = False) -> int:
    """Run the week and return its exit code: 0 only when every promise was kept. Raises as `play` does."""
    screen = Screen(json=json, listens=not yes)
    leave_others_alone()
    operators = Settings()
    root = operators.home.absolute() / "demo"
    _announce(screen, str(root))
    own = own_home(operators, root)
    await asyncio.to_thread(clear, own, screen.line)
    try:
        with heeding_signals():
            project = await asyncio.to_thread(prepare, root, screen.line, Author(at=BEFORE_THE_WEEK.isoformat()))
            settings = settings_for(own, project, Terms(model=""))
            async with running(settings, screen) as stack:
                made, schedule = await _lived(stack, project, screen, yes=yes)
                places = _places(stack, schedule)
    except BaseException:
        screen.text(f"The demo has stopped. What its processes said is in {root / 'logs'}", "bold red")
        raise
    _show(screen, made)
    show_places(screen, places)
    if json:
        print(made.model_dump_json(), flush=True)
    return Exit.OK if not made.broken else Exit.REFUSED if made.nights < len(WEEK) else Exit.BUG


def _announce(screen: Screen, root: str) -> None:
    screen.text("Pawl looks at a repository every night. This demo lives through one week of it.", "bold")
    screen.text(
        "It fetches a released Python library, makes a real Temporal Schedule and runs seven nights of it. Between\n"
        "them people commit, break and report something. What is found is shown to be true in a sandbox first.\n"
        f"Everything it makes is in {root}"
    )
    screen.text(SCRIPTED, "yellow")


async def _lived(stack: Stack, project: Project, screen: Screen, *, yes: bool) -> tuple[WeekReceipt, str]:
    """The receipt, and the schedule's name."""
    settings = stack.settings
    people.commit(project.repository, POLICY)
    schedule = await scheduled_triage(settings, stack.client, project.repository, "tuesday.jsonl")
    await scheduled.pause(stack.client, schedule, _PAUSED)
    screen.line(f"The schedule is made: {home.schedule_link(settings, schedule)}")
    journal = journal_of(settings)
    week = _Week(stack, project, journal, screen, Turns(journal, screen), yes, [], [], [])
    try:
        for night in WEEK:
            await _a_night(week, schedule, night)
            if any(ticket.phase is not Phase.DONE for ticket in week.tickets):
                screen.line("The week ends here: what comes after it is written for a ticket that is done.", "yellow")
                break
    finally:
        journal.close()
    return receipt(settings, week.ran, week.tickets, week.chatty, screen.seconds), schedule


async def _a_night(week: _Week, schedule: str, night: Night) -> None:
    stack, screen = week.stack, week.screen
    settings = stack.settings
    _live_until(week, night)
    if night.tape:
        await scheduled_triage(settings, stack.client, week.project.repository, night.tape)
    before, knew = told(settings), state_of(settings)
    telling = asyncio.create_task(tell_troubles(stack.client, schedule, screen))
    try:
        ran = await run_night(settings, stack.client, schedule, night)
    finally:
        telling.cancel()
        await asyncio.wait([telling])
    week.ran.append(ran)
    await week.turns.tell()
    screen.line(f"{night.name}: {ran.outcome.says}", "bold" if ran.outcome.tickets else "")
    _tell_findings(screen, knew, state_of(settings))
    if ran.outcome.silent and told(settings) != before:
        week.chatty.append(night.name)
    for identifier in ran.outcome.started:
        await _stay_with(week, identifier)


def _live_until(week: _Week, night: Night) -> None:
    """What people do before the night."""
    settings, repository = week.stack.settings, week.project.repository
    if night.people_pull:
        people.pull(repository, settings.forge_folder)
    for happened in night.happened:
        if isinstance(happened, Commit):
            people.commit(repository, happened)
            week.screen.aside(f"{happened.by} commits: {happened.message}")
        else:
            people.file(settings, happened)
            week.screen.aside(f"Somebody files {happened.ticket}: {happened.title}")


def _tell_findings(screen: Screen, knew: TriageState, knows: TriageState) -> None:
    before = {entry.id: entry for entry in knew.findings}
    for entry in knows.findings:
        if before.get(entry.id) != entry:
            screen.line(f"  {words(entry)}", "bold green")


async def _stay_with(week: _Week, identifier: str) -> None:
    """A ticket that the night has started waits for a person; the next night comes when it is done."""
    workflow_id = names.ticket_workflow_id(TicketRef(tracker="board", id=identifier))
    line = await client.ticket_line(week.stack.client, workflow_id)
    started = client.Started(workflow_id=workflow_id, run_id=line.run_id, fresh=True)
    outcome, _ = await attend(week.stack, started, identifier, week.turns, week.screen, yes=week.yes)
    week.tickets.append(outcome)


def _show(screen: Screen, made: WeekReceipt) -> None:
    screen.text()
    screen.text("The receipt", "bold")
    for what, much in lines(made):
        screen.text(f"  {what:<28} {much}")


def _places(stack: Stack, schedule: str) -> list[tuple[str, str]]:
    settings = stack.settings
    return [
        ("the state file, yours to edit", str(state_file(settings) or settings.triage_folder)),
        ("the board", str(settings.board_folder)),
        ("the Temporal UI, again", command(settings, "up")),
        ("the schedule there", home.schedule_link(settings, schedule)),
        ("a schedule of your own", f'{pawl()} schedule triage --repo PATH_OR_URL --cron "0 3 * * 1-5"'),
    ]
