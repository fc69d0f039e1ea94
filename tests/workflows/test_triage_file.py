"""Nights with the real state file, which a person edits in between."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.notebook.file import FileNotebook
from tests.workflows.nights import (
    DOOR,
    SQUEAK,
    StartNights,
    card,
    filed,
    finding,
    finds,
    policy,
    pushed,
    quiet,
    rewritten,
)
from tests.workflows.world import World
from workflows.domain.session import Role
from workflows.domain.triage import Standing, TriageState, finding_id
from workflows.ports.notebook import KeepNotebook, OpenNotebook

pytestmark = pytest.mark.server


@dataclass
class FiledWorld(World):
    """Its notebook is a file."""

    folder: Path = Path()

    def adapters(self) -> list[Callable[..., Any]]:
        book = FileNotebook(self.folder).activities()
        real = {step.__name__ for step in book}
        return [*(step for step in super().adapters() if step.__name__ not in real), *book]

    @property
    def file(self) -> Path:
        return next(self.folder.glob("hinge-*.yaml"))


async def known(world: FiledWorld, name: str) -> TriageState:
    return (await FileNotebook(world.folder).open_notebook(OpenNotebook(name=name, repository="/srv/hinge"))).state


async def test_a_week_with_the_real_file(nights: StartNights, tmp_path: Path) -> None:
    world = FiledWorld(folder=tmp_path)
    run = await nights(world)
    finds(world, finding(), finding(DOOR))
    said = await run.next()
    assert (said.tickets, said.notebook) == (("F-1",), str(world.file))
    quiet(world)
    assert (await run.next()).says.startswith("Nothing new since 2026-03-02")

    text = world.file.read_text()
    before, _, after = text.partition(finding_id(finding().kind, DOOR))
    after = after.replace("standing: reported", "standing: ignored", 1)
    world.file.write_text(f"{before}{finding_id(finding().kind, DOOR)}{after}")
    finds(world, finding(DOOR))
    assert (await run.next()).known == 1

    world.tries = {f"try {SQUEAK}": 0}
    finds(world)
    assert (await run.next()).fixed == 1
    assert "### Fixed since" in rewritten(world)[-1].body
    state = await known(world, run.name)
    standings = {entry.subject: entry.standing for entry in state.findings}
    assert standings == {SQUEAK: Standing.FIXED, DOOR: Standing.IGNORED}

    world.tries = {}
    finds(world, finding())
    assert (await run.next()).found == 1
    (back,) = [entry for entry in (await known(world, run.name)).findings if entry.subject == SQUEAK]
    assert (back.times, back.standing) == (2, Standing.REPORTED)
    assert len(filed(world)) == 1


async def test_what_somebodys_ticket_holds_is_seen_in_the_file_and_raised_when_a_person_wants_it(
    nights: StartNights, tmp_path: Path
) -> None:
    world = FiledWorld(folder=tmp_path, policy=policy(level=2))
    world.cards.others.append(card("ENG-7", f"{SQUEAK} fails on main"))
    run = await nights(world)
    finds(world, finding())
    assert (await run.next()).silent
    text = world.file.read_text()
    assert "elsewhere: True" in text
    assert "identifier: ENG-7" in text
    world.file.write_text(text.replace("standing: reported", "standing: waiting"))
    quiet(world)
    assert (await run.next()).tickets == ("F-1",)
    (told,) = (await known(world, run.name)).findings
    assert (told.standing, told.identifier, told.elsewhere) == (Standing.TICKETED, "F-1", False)


async def test_what_goes_to_the_archive_at_once_is_counted_all_the_same(nights: StartNights, tmp_path: Path) -> None:
    world = FiledWorld(folder=tmp_path)
    run = await nights(world)
    finds(world, finding())
    await run.next()
    (one,) = (await known(world, run.name)).findings
    over = {"standing": Standing.REFUTED, "last_seen": one.last_seen + timedelta(days=9)}
    many = tuple(one.model_copy(update={**over, "id": f"over-{number}"}) for number in range(500))
    keeping = KeepNotebook(name=run.name, repository="/srv/hinge", entries=many)
    await FileNotebook(world.folder).keep_notebook(keeping)
    world.tries = {f"try {SQUEAK}": 0}
    finds(world)
    assert (await run.next()).fixed == 1
    assert one.id not in {entry.id for entry in (await known(world, run.name)).findings}


async def test_a_file_that_cannot_be_read_is_kept_and_the_night_goes_on_with_the_last_good_one(
    nights: StartNights, tmp_path: Path
) -> None:
    world = FiledWorld(folder=tmp_path)
    run = await nights(world)
    finds(world, finding())
    await run.next()
    broken = world.file.read_text() + "\n  - : [ not yaml"
    world.file.write_text(broken)
    world.turns[Role.TRIAGER] = []
    pushed(world)
    finds(world, finding())
    said = await run.next()
    assert said.known == 1
    assert said.warning
    assert not said.trouble
    assert broken in [path.read_text() for path in tmp_path.iterdir() if path.is_file()]
    quiet(world)
    assert not (await run.next()).warning
