"""What people do to a schedule that is there: paused, resumed, triggered, run for the past, deleted; and what the list
says of it. The loop is the real one; its work is the test's."""

import asyncio
import re
import shutil
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client, ScheduleHandle
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from infra import scheduled
from infra.connections import Connections, Linear
from infra.exits import Exit
from infra.repositories import key_of
from infra.schedules import ensure_schedules
from tests.infra.command_line import pawl_in_terminal
from tests.infra.loops import Typed, Work, working
from tests.repos import make_repository
from workflows import names
from workflows.domain.loop import Round
from workflows.domain.routes import Route
from workflows.loop import Loop

pytestmark = pytest.mark.server


@dataclass
class Scheduled:
    """A triage of a repository of the test's own."""

    typed: Typed
    work: Work
    repository: Path
    handle: ScheduleHandle

    @property
    def name(self) -> str:
        return self.handle.id

    async def line(self, name: str = "") -> dict[str, Any]:
        """Its own or another schedule's, as the list has it, which learns of a new one late."""
        for _ in range(50):
            listed = (await self.typed("list")).json["schedules"]
            if found := [one for one in listed if one["name"] == (name or self.name)]:
                return found[0]
        raise AssertionError("It is not listed.")

    async def seen(self) -> str:
        """The list, as a person sees it in a wide terminal."""
        told = {"TEMPORAL_ADDRESS": self.typed.address, "COLUMNS": "400", "TERM": "xterm"}
        seen = await asyncio.to_thread(lambda: pawl_in_terminal(self.typed.home, "schedule", "list", **told))
        return re.sub(r"\x1b\[[0-9;]*m", "", seen.out)

    async def until_asked(self, times: int) -> None:
        for _ in range(300):
            if len(self.work.asked) >= times:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(self.work.asked)


@pytest.fixture
async def triage(client: Client, tmp_path: Path, temporal_address: str) -> AsyncGenerator[Scheduled]:
    repository = make_repository(tmp_path / f"shop-{tmp_path.name}", {"README.md": "A shop.\n"})
    typed = Typed(tmp_path, temporal_address)
    handle = client.get_schedule_handle(names.triage_id(key_of(str(repository))))
    async with working(client, tmp_path) as work:
        made = await typed("triage", "--repo", str(repository), "--cron", "0 3 * * 1-5", "--timezone", "Europe/Berlin")
        assert made.code == 0, made.out
        yield Scheduled(typed, work, repository, handle)
        with suppress(RPCError):  # the test may have deleted it
            await handle.delete()


async def test_a_pause_says_why_and_ends(triage: Scheduled) -> None:
    dry = (await triage.typed("pause", str(triage.repository), "--dry-run")).json
    assert (dry["dry_run"], dry["paused"]) == (True, False)
    paused = (await triage.typed("pause", str(triage.repository), "--why", "Holidays")).json
    assert (paused["name"], paused["paused"], paused["note"]) == (triage.name, True, "Holidays")
    again = (await triage.typed("pause", triage.name)).json
    assert (again["said"], again["note"]) == (f"{triage.name} is paused already: Holidays", "Holidays")
    other = (await triage.typed("pause", triage.name, "--why", "Moving house")).json
    assert (other["paused"], other["note"]) == (True, "Moving house")
    assert ((await triage.line())["next"], (await triage.line())["state"]) == ([], "")
    (triage.typed.home / "triage").mkdir()
    (state := triage.typed.home / "triage" / f"{triage.name.removeprefix('triage:')}.yaml").touch()
    seen = await triage.seen()
    assert "paused: Moving house" in seen
    assert f"{triage.name} remembers in {state}" in seen
    resumed = (await triage.typed("resume", triage.repository.name)).json
    assert (resumed["paused"], len(resumed["next"])) == (False, 5)
    assert "is not paused" in (await triage.typed("resume", triage.name)).json["said"]


async def test_triggered_it_runs_once_and_the_outcome_is_told(triage: Scheduled) -> None:
    triage.work.go.clear()
    first = (await triage.typed("trigger", triage.name)).json
    assert (first["fresh"], first["workflow_id"].startswith(f"{triage.name}-")) == (True, True)
    await triage.until_asked(1)
    second = (await triage.typed("trigger", triage.name)).json
    assert (second["fresh"], second["workflow_id"]) == (False, first["workflow_id"])
    watching = asyncio.create_task(triage.typed("trigger", triage.name, "--watch"))
    await asyncio.sleep(2)
    triage.work.go.set()
    watched = await watching
    assert (watched.code, watched.json["said"]) == (0, "Nothing was found.")
    assert (watched.json["last"]["said"], watched.json["last"]["trouble"]) == ("Nothing was found.", "")
    assert re.search(r"\d\d:\d\d \S+: Nothing was found\.", await triage.seen()), "a good one stands alone"
    asked = triage.work.asked[0]
    assert (asked["repository"], asked["name"]) == (str(triage.repository), triage.name)


async def test_a_watch_without_a_worker_ends_and_the_run_waits_for_one(
    client: Client, tmp_path: Path, temporal_address: str
) -> None:
    repository = make_repository(tmp_path / f"shop-{tmp_path.name}", {"README.md": "A shop.\n"})
    typed = Typed(tmp_path, temporal_address)
    name = (await typed("triage", "--repo", str(repository), "--cron", "@daily")).json["name"]
    watched = await typed("trigger", name, "--watch")
    assert (watched.code, f"Nobody answers for {name}-" in watched.error["message"]) == (Exit.OUTSIDE, True)
    assert "Is a worker running?" in watched.error["next"]
    async with working(client, tmp_path) as work:
        work.go.clear()
        again = (await typed("trigger", name)).json
        assert (again["fresh"], again["workflow_id"] in watched.error["message"]) == (False, True)
        work.go.set()
        assert (await scheduled.outcome(client, again["workflow_id"])).said == "Nothing was found."
    await client.get_schedule_handle(name).delete()


async def test_a_watch_ends_when_the_worker_leaves_and_none_follows(
    client: Client, tmp_path: Path, temporal_address: str
) -> None:
    repository = make_repository(tmp_path / f"shop-{tmp_path.name}", {"README.md": "A shop.\n"})
    typed = Typed(tmp_path, temporal_address)
    name = (await typed("triage", "--repo", str(repository), "--cron", "@daily")).json["name"]
    async with Worker(client, task_queue=names.WORK, workflows=[Loop], workflow_runner=UnsandboxedWorkflowRunner()):
        run = client.get_workflow_handle((await typed("trigger", name)).json["workflow_id"])
        while not (await run.describe()).raw_description.pending_children:  # noqa: ASYNC110  # no event here
            await asyncio.sleep(0.1)
        watching = asyncio.create_task(typed("trigger", name, "--watch"))
        await asyncio.sleep(2)  # by then the worker has answered it
    watched = await watching
    assert (watched.code, f"Nobody answers for {run.id}" in watched.error["message"]) == (Exit.OUTSIDE, True)
    await client.get_schedule_handle(name).delete()
    await run.terminate()


async def test_a_step_that_failed_for_good_is_an_outcome_and_an_exit_code(triage: Scheduled) -> None:
    triage.work.answer = Round(says="The night ended early.", trouble="GitHub does not let us in.")
    watched = await triage.typed("trigger", triage.name, "--watch")
    assert (watched.code, watched.json["said"]) == (Exit.OUTSIDE, "The night ended early.")
    line = await triage.line()
    assert (line["paused"], line["last"]["trouble"]) == (False, "GitHub does not let us in.")
    assert "trouble: The night ended early." in await triage.seen()


async def test_a_mistake_pauses_it_and_the_list_says_what_it_was(triage: Scheduled) -> None:
    triage.work.answer = None
    watched = await triage.typed("trigger", triage.name, "--watch")
    assert (watched.code, watched.json["said"]) == (Exit.OUTSIDE, "A mistake was made.")
    line = await triage.line()
    assert (line["paused"], line["failed"]) == (True, 1)
    assert (line["last"]["status"], line["last"]["said"]) == ("Failed", "A mistake was made.")
    assert "fail" in line["note"].lower()
    assert "failed: A mistake was made. (1 failed)" in await triage.seen()


async def test_a_repository_that_is_gone_pauses_its_schedule_and_can_still_be_named(triage: Scheduled) -> None:
    shutil.rmtree(triage.repository)
    triage.work.answer = Round(says="There is nothing left.", gone="The repository is gone.")
    watched = await triage.typed("trigger", str(triage.repository), "--watch")
    assert (watched.code, watched.json["paused"], watched.json["note"]) == (0, True, "The repository is gone.")


async def test_the_past_is_run_again_moment_by_moment(triage: Scheduled) -> None:
    both = await triage.typed("backfill", triage.name, "--from", "2026-10-23", "--to", "2026-10-26")
    assert (both.code, len(both.json["moments"])) == (0, 2)
    await triage.until_asked(2)
    winter = ["2026-10-23T01:00:00+00:00", "2026-10-26T02:00:00+00:00"]
    assert triage.work.moments == winter, "in the zone's own time: summer time ends between the two"

    exact = ("--from", "2026-11-02T03:00", "--to", "2026-11-04T03:00")
    dry = (await triage.typed("backfill", triage.name, *exact, "--dry-run")).json
    assert (dry["dry_run"], len(dry["moments"])) == (True, 3), "both ends count"
    none = (await triage.typed("backfill", triage.name, "--from", "2026-11-07", "--to", "2026-11-08")).json
    assert "There is no moment" in none["said"]
    assert len(triage.work.asked) == 2


async def test_many_moments_are_not_run_unasked(triage: Scheduled) -> None:
    many = ("backfill", triage.name, "--from", "2026-08-01", "--to", "2026-10-01")
    refused = await triage.typed(*many)
    assert (refused.code, "44 moments" in refused.error["message"]) == (Exit.REFUSED, True)
    assert (await triage.typed(*many, "--yes")).code == 0
    await triage.until_asked(3)
    more = await triage.typed("backfill", triage.name, "--from", "2016-01-01", "--to", "2026-01-01", "--yes")
    assert (more.code, "more than 900" in more.error["message"]) == (Exit.REFUSED, True)


async def test_times_that_make_no_sense_are_told(triage: Scheduled) -> None:
    for first, last, says in (
        ("2026-11-03", "2026-11-02", "is after"),
        ("yesterday", "2026-11-02", "'yesterday' is no time"),
        ("2999-01-01", "2999-01-02", "yet to come"),
    ):
        wrong = await triage.typed("backfill", triage.name, "--from", first, "--to", last)
        assert (wrong.code, says in wrong.error["message"]) == (Exit.USAGE, True)


async def test_deleted_it_is_gone_and_a_wrong_name_is_told_with_those_written_alike(triage: Scheduled) -> None:
    await triage.line()  # by then it is listed
    misspelt = await triage.typed("delete", triage.repository.name.replace("shop", "shap"))
    assert (misspelt.code, triage.name in misspelt.error["next"]) == (Exit.NOT_FOUND, True)
    unasked = await triage.typed("delete", triage.name)
    assert (unasked.code, unasked.error["next"]) == (Exit.REFUSED, "Do it with --yes.")
    assert (await triage.typed("delete", triage.name, "--yes")).json["deleted"]
    assert (await triage.typed("resume", triage.name)).code == Exit.NOT_FOUND


async def test_what_the_table_asks_for_leaves_loops_alone_and_is_listed_with_them(
    client: Client, triage: Scheduled
) -> None:
    tracker = f"looked-at-{uuid4().hex[:8]}"
    route = Route(tracker=tracker, repository="/srv/shop")
    table = Connections(connections={tracker: Linear()}, routes=(route,))
    await ensure_schedules(client, table)
    await triage.line()
    await ensure_schedules(client, Connections())
    assert (await triage.line())["paused"] is False
    await ensure_schedules(client, table)
    assert (await triage.line(names.sync_id(tracker)))["cron"] == "@every 1m"
    deleted = await triage.typed("delete", names.sync_id(tracker), "--yes")
    assert "comes back" in deleted.json["said"]
