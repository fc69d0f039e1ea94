"""The benchmark's ticket can be worked on, and its verdicts are the documented ones."""

import pytest

from bench.report import targets
from bench.results import Parked
from bench.work import EDIT_EVERY, answers, files, tape
from infra.gateway.tape import read_tape
from workflows.domain.session import Limits, Role


@pytest.mark.parametrize("turns", [20, 60])
def test_the_tape_answers_every_turn_of_the_ticket(turns: int) -> None:
    read = read_tape(tape(turns))
    sessions = {role: [count for _, count in read.parts(role)] for role in Role}
    of_ticket = {Role.PLANNER: [1], Role.BUILDER: [turns + 1], Role.REVIEWER: [1, 1], Role.FIXER: [2]}
    assert sessions == {**of_ticket, Role.TRIAGER: []}


@pytest.mark.parametrize("turns", [20, 60])
def test_every_tool_call_finds_what_it_asks_for(turns: int) -> None:
    repository = files()
    for use in (use for session in answers(turns).values() for use in session):
        asked = use["input"]
        if use["name"] == "edit":
            assert repository[asked["path"]].count(asked["old"]) == 1
            repository[asked["path"]] = repository[asked["path"]].replace(asked["old"], asked["new"])
        elif use["name"] == "view":
            assert asked["path"] in repository


def test_the_builder_is_not_stopped_for_changing_nothing() -> None:
    assert Limits().turns_without_change > EDIT_EVERY


@pytest.mark.parametrize(
    ("tickets", "megabytes", "met"), [(10_000, 299.0, True), (10_000, 301.0, False), (9_999, 100.0, None)]
)
def test_memory_is_judged_only_with_all_tickets_parked(tickets: int, megabytes: float, met: bool | None) -> None:
    waiting = Parked(tickets=tickets, worker_mb=megabytes, server_mb=1, gateway_mb=1, worker_busy=0.0, server_busy=0.0)
    assert targets({}, (waiting,))[-1].met is met
