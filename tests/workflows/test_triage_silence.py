"""What reads the same is no reason to write, and no slip in the state file ends triage or silences it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.notebook.file import file_name
from activities.notebook.sheet import Sheet, read_sheet, render
from tests.workflows.nights import DOOR, FIRST, SQUEAK, StartNights, filed, finding, finds, quiet, rewritten
from tests.workflows.test_triage_file import FiledWorld
from tests.workflows.world import World
from workflows.domain.triage import Kind, Standing, TriageState, Tried, Verdict
from workflows.domain.triage_dedupe import sort_out
from workflows.ports.forge import Recent, RunFailed
from workflows.ports.tracker import FileTicket
from workflows.ports.workspace import TryCommand

pytestmark = pytest.mark.server


async def test_a_base_that_moves_is_no_news_as_long_as_it_fails_alike(nights: StartNights) -> None:
    world = World(tries={f"try {SQUEAK}": 2})
    run = await nights(world)
    finds(world, finding(), finding(DOOR))
    await run.next()
    (report,) = filed(world)
    for failing in (1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2):
        world.tries = {f"try {SQUEAK}": failing}
        finds(world)
        assert (await run.next()).silent
    assert len(world.of(TryCommand)) == 24
    assert not rewritten(world)
    world.tries = {}
    finds(world)
    assert (await run.next()).tickets == ("F-1",)
    flaky, door = (
        "Flaky: fails now and then: 2 of 5",
        f"Fails every time: 5 of 5 runs failed at `{world.bases[0][:12]}`",
    )
    assert flaky in report.body
    assert flaky not in rewritten(world)[-1].body
    assert rewritten(world)[-1].body.count("Fails every time") == 2
    assert door in rewritten(world)[-1].body, "the squeak is shown by its new verdict"


async def test_a_run_of_after_the_nights_moment_is_news_once(nights: StartNights) -> None:
    world = World()
    run = await nights(world)
    failed = RunFailed(name="ci", at=FIRST + timedelta(hours=1), head_sha="b" * 40)
    world.recent = Recent(runs=(failed,))
    assert not (await run.next()).asked
    finds(world)
    world.recent = Recent(runs=(failed,))
    assert (await run.next()).asked


async def test_a_look_in_the_future_is_said_and_triage_goes_on(nights: StartNights, tmp_path: Path) -> None:
    world = FiledWorld(folder=tmp_path)
    run = await nights(world)
    await run.next()
    text = world.file.read_text().replace("seen_until: 2026-03-02", "seen_until: 2999-03-02")
    world.file.write_text(text.replace(f"base: {world.bases[0]}", "base: nobody knows it"))
    assert "nobody knows it" in world.file.read_text()
    finds(world, finding())
    night = await run.next()
    assert night.tickets == ("F-1",)
    assert "says seen_until: 2999-03-02, which cannot be" in night.warning
    quiet(world)
    after = await run.next()
    assert (after.silent, after.asked, after.warning) == (True, False, "")
    assert after.says.startswith("Nothing new since 2026-03-03")


class EditedWorld(FiledWorld):
    """A person edits the file as soon as the report is filed."""

    async def heard(self, request: Any) -> None:
        await super().heard(request)
        if isinstance(request, FileTicket):
            self.file.write_text(self.file.read_text().replace("title: The hinge squeaks", "title: It squeaks"))


async def test_what_a_person_edits_in_the_night_is_there_after_it(nights: StartNights, tmp_path: Path) -> None:
    world = EditedWorld(folder=tmp_path)
    run = await nights(world)
    finds(world, finding())
    assert (await run.next()).tickets == ("F-1",)
    assert "title: It squeaks\n    standing: reported" in world.file.read_text()


async def test_a_file_that_is_more_than_temporal_takes_fails_no_night(nights: StartNights, tmp_path: Path) -> None:
    world = FiledWorld(folder=tmp_path)
    run = await nights(world)
    go = Tried(at=FIRST, base="a", runs=5, failed=5, verdict=Verdict.CONFIRMED, excerpt="e" * 2_000)
    goes = tuple(go.model_copy(update={"base": f"{number}"}) for number in range(10))
    waits = [finding(f"n{number}", Kind.OTHER, command="", detail="d" * 4_000) for number in range(110)]
    many = sort_out(waits, TriageState(repository="/srv/hinge"), (), "b", FIRST).fresh
    state = TriageState(repository="/srv/hinge", findings=tuple(one.model_copy(update={"tried": goes}) for one in many))
    (tmp_path / f"{file_name(run.name)}.yaml").write_bytes(render(Sheet(state)))
    said = await run.next()
    assert (said.trouble, said.warning, said.tickets) == ("", "", ("F-1",))
    after = read_sheet(world.file.read_bytes(), "/srv/hinge", FIRST).state.findings
    assert len(after) == 110
    assert all(one.standing is Standing.REPORTED and one.detail and one.tried == goes for one in after)
