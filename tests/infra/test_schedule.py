"""`pawl schedule triage` and `sweep` as typed: made, changed, kept as people edited it, and every slip told."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleOverlapPolicy,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from infra.connections import Connections
from infra.exits import Exit, Misused
from infra.repositories import key_of
from infra.schedules import LoopPlan, ensure_schedules, put_loop
from tests.infra.command_line import pawl, pawl_in_terminal
from tests.infra.loops import Typed
from tests.repos import git, make_repository
from workflows import names
from workflows.domain.loop import LoopOrder
from workflows.domain.loop_input import read_input
from workflows.domain.triage import TriageOrder

pytestmark = pytest.mark.server
CLOSED = "127.0.0.1:1"
SHOP = "https://github.com/acme/shop"
WEEKDAYS = ("--cron", "0 3 * * 1-5", "--timezone", "Europe/Berlin")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """With the branches main and develop."""
    folder = make_repository(tmp_path / f"shop-{tmp_path.name}", {"README.md": "A shop.\n"})
    git(folder, "branch", "develop")
    return folder


@pytest.fixture
def typed(tmp_path: Path, temporal_address: str) -> Typed:
    return Typed(tmp_path, temporal_address)


async def order_of(client: Client, name: str) -> LoopOrder:
    action = (await client.get_schedule_handle(name).describe()).schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert action.workflow == "Loop"
    return (await client.data_converter.decode(list(action.args), [LoopOrder]))[0]  # pyright: ignore[reportArgumentType]


async def test_it_is_made_as_asked_for_and_changed_by_what_is_typed_alone(
    client: Client, typed: Typed, repository: Path
) -> None:
    name = names.triage_id(key_of(str(repository)))
    handle = client.get_schedule_handle(name)
    first = await typed("triage", "--repo", str(repository), *WEEKDAYS, "--base", "develop")
    made = first.json
    assert (first.code, made["name"], made["fresh"], made["cron"]) == (0, name, True, "0 3 * * 1-5")
    assert len(made["next"]) == 5
    described = await handle.describe()
    spec, policy = described.schedule.spec, described.schedule.policy
    assert (spec.time_zone_name, spec.jitter) == ("Europe/Berlin", timedelta(minutes=10))
    assert (policy.overlap, policy.catchup_window) == (ScheduleOverlapPolicy.SKIP, timedelta(hours=6))
    assert policy.pause_on_failure
    order = await order_of(client, name)
    assert (order.name, order.flow) == (name, "Triage")
    told = TriageOrder.model_validate(order.order)
    assert (told.name, told.repository, told.model) == (name, str(repository), "a:m")
    assert (told.base_branch, told.tracker) == ("develop", "board")

    await handle.pause(note="Somebody's words")  # as in the Temporal UI, and so is the next
    await handle.update(_earlier)
    again = await typed("triage", "--repo", f"{repository}/", "--model", "b:n", "--jitter", "0", PAWL_MODEL="c:o")
    changed = again.json
    assert (changed["fresh"], changed["cron"], changed["timezone"]) == (False, "30 1 * * *", "Europe/Berlin")
    assert (changed["paused"], changed["note"], changed["jitter_seconds"]) == (True, "Somebody's words", 0)
    told = TriageOrder.model_validate((await order_of(client, name)).order)
    assert (told.model, told.base_branch) == ("b:n", "develop")
    await typed("triage", "--repo", f"file://{repository}", PAWL_MODEL="c:o")
    assert TriageOrder.model_validate((await order_of(client, name)).order).model == "b:n", "what was chosen stays"
    await handle.delete()


def _earlier(now: ScheduleUpdateInput) -> ScheduleUpdate:
    schedule = now.description.schedule
    schedule.spec.calendars, schedule.spec.cron_expressions = [], ["30 1 * * *"]
    return ScheduleUpdate(schedule)


async def test_the_first_route_of_the_repository_says_what_nobody_typed(
    client: Client, typed: Typed, repository: Path
) -> None:
    lines = ["timezone = 'Europe/Paris'", "[connections.linear]", "kind = 'linear'"]
    for team in ("OTHER", "ENG", "NEXT"):
        place = repository if team != "OTHER" else repository / "other"
        lines += ["[[routes]]", f"tracker = 'linear'\nteam = '{team}'\nmodel = 'r:{team}'\nbase_branch = 'main'"]
        lines += [f"repository = '{place}/.git'"]
    (typed.home / "connections.toml").write_text("\n".join(lines))
    made = (await typed("triage", "--repo", str(repository), "--cron", "@daily")).json
    order = TriageOrder.model_validate(made["order"])
    assert made["timezone"] == "Europe/Paris"
    assert (order.tracker, order.team, order.model, order.base_branch, order.follow) == (
        *("linear", "ENG", "r:ENG", "main"),
        True,
    )
    await ensure_schedules(client, Connections())
    other = (await typed("triage", "--repo", str(repository), "--tracker", "board")).json
    order = TriageOrder.model_validate(other["order"])
    assert (other["fresh"], order.tracker, order.team, order.follow) == (False, "board", "", False)
    wrong = await typed("triage", "--repo", str(repository), "--tracker", "jira")
    assert (wrong.code, wrong.error["next"]) == (Exit.USAGE, "There is: board, linear.")
    await client.get_schedule_handle(made["name"]).delete()


async def test_a_label_that_would_start_every_draft_is_refused(typed: Typed, repository: Path) -> None:
    lines = "[connections.linear]\n[[routes]]\ntracker = 'linear'\nlabel = 'Triage'"
    (typed.home / "connections.toml").write_text(f"{lines}\nrepository = '{repository}'")
    refused = await typed("triage", "--repo", str(repository), *WEEKDAYS)
    assert (refused.code, "'Triage' cannot be the label that asks for work" in refused.error["message"]) == (
        *(Exit.USAGE, True),
    )
    assert "connections.md" in refused.error["next"]


async def test_an_order_that_somebody_broke_in_the_ui_is_written_anew(
    client: Client, typed: Typed, repository: Path
) -> None:
    made = (await typed("triage", "--repo", str(repository), *WEEKDAYS)).json

    def broken(now: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule = now.description.schedule
        schedule.action = ScheduleActionStartWorkflow("Loop", "{", id="x", task_queue=names.WORK)
        return ScheduleUpdate(schedule)

    await client.get_schedule_handle(made["name"]).update(broken)
    again = await typed("triage", "--repo", str(repository))
    assert again.code == 0
    assert (await order_of(client, made["name"])).order["repository"] == str(repository)
    await client.get_schedule_handle(made["name"]).delete()


async def test_what_a_loop_cannot_read_of_its_order_goes_when_it_is_made_again(
    client: Client, typed: Typed, repository: Path
) -> None:
    triage = (await typed("triage", "--repo", str(repository), *WEEKDAYS)).json["name"]
    sweep = (await typed("sweep", "--cron", "0 6 * * *")).json["name"]

    def edited(loop: LoopOrder) -> Callable[[ScheduleUpdateInput], ScheduleUpdate]:
        def update(now: ScheduleUpdateInput) -> ScheduleUpdate:
            now.description.schedule.action = ScheduleActionStartWorkflow(
                "Loop", loop, id=loop.name, task_queue=names.WORK
            )
            return ScheduleUpdate(now.description.schedule)

        return update

    slips = LoopOrder(name=triage, flow="Triagee", order={"base_branch": 7, "modell": "x:y", "model": "b:n"})
    await client.get_schedule_handle(triage).update(edited(slips))
    slips = LoopOrder(name=sweep, flow="Sweep", order={"remind_after": "2d", "keep_closd": "9d", "keep_closed": "soon"})
    await client.get_schedule_handle(sweep).update(edited(slips))
    for made_again, kept in (
        (("triage", "--repo", str(repository)), {"model": "b:n"}),
        (("sweep",), {"remind_after": "2d"}),
    ):
        again = await typed(*made_again)
        assert again.code == 0, again.out
        order = await order_of(client, again.json["name"])
        assert isinstance(read_input(order.model_dump(mode="json")), LoopOrder)
        assert order.order.items() >= kept.items()
        await client.get_schedule_handle(again.json["name"]).delete()


async def test_the_sweep_has_one_schedule(client: Client, typed: Typed) -> None:
    made = (await typed("sweep", "--cron", "0 6 * * *", "--note", "Tidy")).json
    assert (made["name"], made["fresh"], made["note"], made["timezone"]) == (names.SWEEP, True, "Tidy", "UTC")
    again = (await typed("sweep", "--timezone", "Europe/Berlin")).json
    assert (again["fresh"], again["cron"], again["timezone"]) == (False, "0 6 * * *", "Europe/Berlin")
    assert (await order_of(client, names.SWEEP)).flow == "Sweep"
    await client.get_schedule_handle(names.SWEEP).delete()


async def test_a_dry_run_changes_nothing_and_needs_no_server(typed: Typed, repository: Path) -> None:
    dry = await typed("triage", "--repo", str(repository), "--dry-run", "--cron", "0 3 1 1 *", TEMPORAL_ADDRESS=CLOSED)
    assert (dry.code, dry.json["new"], dry.json["next"][0][5:]) == (0, None, "01-01T03:00:00+00:00"), "nobody knows"
    dry = await typed("triage", "--repo", str(repository), "--dry-run", "--cron", "@daily")
    assert (dry.code, dry.json["new"]) == (0, True)
    listed = (await typed("list")).json["schedules"]
    assert not [one for one in listed if one["repository"] == str(repository)]


async def test_a_dry_run_tells_what_would_change_at_the_times_of_the_schedule_that_is_there(
    client: Client, typed: Typed, repository: Path
) -> None:
    triage = ("triage", "--repo", str(repository))
    made = (await typed(*triage, *WEEKDAYS)).json
    dry = (await typed(*triage, "--cron", "0 5 * * *", "--model", "b:n", "--jitter", "0s", "--dry-run")).json
    assert dry["changes"] == [
        {"what": "cron", "now": "0 3 * * 1-5", "then": "0 5 * * *"},
        {"what": "jitter", "now": "10 minutes", "then": ""},
        {"what": "model", "now": "a:m", "then": "b:n"},
    ]
    assert {(at.hour, at.utcoffset()) for at in _moments(dry)} == {(5, at.utcoffset()) for at in _in_berlin(dry)}
    elsewhere = (await typed(*triage, "--timezone", "Asia/Tokyo", "--dry-run")).json
    assert elsewhere["changes"] == [{"what": "timezone", "now": "Europe/Berlin", "then": "Asia/Tokyo"}]
    assert {(at.hour, at.utcoffset()) for at in _moments(elsewhere)} == {(3, timedelta(hours=9))}
    same = (await typed(*triage, "--cron", "0 3 * * mon-fri", "--dry-run")).json
    assert (same["new"], same["changes"]) == (False, [])
    untyped = (await typed(*triage, "--dry-run")).json
    assert _moments(untyped) == [datetime.fromisoformat(at) for at in made["next"][:3]], "as the server has them"
    await client.get_schedule_handle(made["name"]).delete()


def _moments(told: dict[str, Any]) -> list[datetime]:
    return [datetime.fromisoformat(at) for at in told["next"]]


def _in_berlin(told: dict[str, Any]) -> list[datetime]:
    return [at.astimezone(ZoneInfo("Europe/Berlin")) for at in _moments(told)]


async def test_six_fields_that_may_be_meant_otherwise_are_remarked_on_with_the_next_moments(
    typed: Typed, repository: Path
) -> None:
    sixth = ("schedule", "triage", "--repo", str(repository), "--dry-run", "--cron")
    told = {"TEMPORAL_ADDRESS": typed.address, "PAWL_MODEL": "a:m", "TERM": "dumb", "COLUMNS": "200"}
    seen = await asyncio.to_thread(lambda: pawl_in_terminal(typed.home, *sixth, "0 0 3 * * *", **told))
    assert (seen.code, "the last is read as a year" in seen.out, " 3 " in seen.out.split("Next: ")[1]) == (
        0,
        True,
        True,
    )
    seen = await asyncio.to_thread(lambda: pawl_in_terminal(typed.home, *sixth, "0 3 * * * 2099", **told))
    assert (seen.code, "year" in seen.out) == (0, False)


async def test_a_new_one_needs_its_times_and_a_model(typed: Typed, repository: Path) -> None:
    for more in ((), ("--dry-run",)):
        timeless = await typed("triage", "--repo", str(repository), *more)
        assert (timeless.code, "--cron" in timeless.error["next"]) == (Exit.USAGE, True)
    modelless = await typed("triage", "--repo", str(repository), *WEEKDAYS, PAWL_MODEL="")
    assert (modelless.code, modelless.error["message"]) == (Exit.USAGE, "No model is named.")


async def test_a_zone_that_only_the_server_knows_to_be_none_is_told(client: Client) -> None:
    """As from a machine that has no list of zones."""
    plan = LoopPlan(name="triage:none", flow="Triage", order={}, summary="", cron="@daily", timezone="Europe/Berln")
    with pytest.raises(Misused, match="unknown time zone Europe/Berln") as refused:
        await put_loop(client, plan)
    assert "--timezone" in refused.value.next_step


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("triage", "--repo", "/nowhere/shop", *WEEKDAYS), Exit.NOT_FOUND, "There is no repository '/nowhere/shop'."),
        (("triage", "--repo", SHOP, "--cron", "@daily", "--timezone", "Berlin"), Exit.USAGE, "There is no time zone"),
        (("triage", "--repo", SHOP, "--cron", "0 25 * * *"), Exit.USAGE, "the hour '25' is none"),
        (("triage", "--repo", SHOP, "--cron", "0 3 30 2 *"), Exit.USAGE, "such a day never comes"),
        (("triage", "--repo", SHOP, *WEEKDAYS, "--jitter", "soon"), Exit.USAGE, "is no time here"),
        (("triage", "--repo", "https://a:b@c.example/d", *WEEKDAYS), Exit.USAGE, "holds a password"),
        (("triage", "--repo", SHOP, *WEEKDAYS), Exit.OUTSIDE, "cannot be reached"),
        (("triage", "--repo", f"{SHOP}/tree/main", *WEEKDAYS), Exit.USAGE, f"{SHOP}/tree/main is a page"),
        (("triage", "--repo", SHOP, *WEEKDAYS, "--team", "X", "--dry-run"), Exit.USAGE, "The board has no teams."),
        (("list",), Exit.OUTSIDE, "cannot be reached"),
        (("pause", ""), Exit.USAGE, "It is empty"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is(
    tmp_path: Path, arguments: tuple[str, ...], code: Exit, says: str
) -> None:
    said = pawl(tmp_path, "schedule", *arguments, TEMPORAL_ADDRESS=CLOSED, PAWL_MODEL="a:m")
    assert (said.code, says in said.error["message"]) == (code, True), json.dumps(said.json)
