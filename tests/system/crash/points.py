"""The table of kill points, and the fixed choice from it that is run."""

import random
from collections.abc import Iterable, Iterator, Mapping

from tests.system.crash.lane import Case
from tests.system.crash.switch import Kill, Victim
from workflows.domain.ticket import Phase

SEED = 20_261_121
A_TICKET = 3
"""Kills on the way of one ticket: enough to be done in minutes, few enough to be told apart."""

PASSAGES: Mapping[str, int] = {
    "flow: task begun": 70,
    "flow: task done": 70,
    "claim_ticket: begun": 1,
    "claim_ticket: card noted": 2,
    "claim_ticket: card written": 1,
    "claim_ticket: done": 1,
    "move_ticket: begun": 8,
    "move_ticket: card noted": 16,
    "move_ticket: card written": 8,
    "move_ticket: done": 8,
    "post_comment: begun": 1,
    "post_comment: card noted": 2,
    "post_comment: card written": 1,
    "post_comment: done": 1,
    "open_repository: begun": 1,
    "open_repository: done": 1,
    "gather_context: begun": 1,
    "gather_context: done": 1,
    "open_account: begun": 1,
    "open_account: asked": 1,
    "open_account: booked": 1,
    "open_account: done": 1,
    "prepare_workspace: begun": 1,
    "prepare_workspace: sandbox made": 1,
    "prepare_workspace: before starting set-up": 1,
    "prepare_workspace: started set-up": 1,
    "prepare_workspace: done": 1,
    "take_turn: begun": 13,
    "open_run: asked": 6,
    "open_run: booked": 6,
    "take_turn: before journaling prompt": 6,
    "take_turn: journaled prompt": 6,
    "call: reserved": 13,
    "call: streaming": 100,
    "take_turn: streaming": 100,
    "call: answered": 13,
    "call: kept": 13,
    "call: handed on": 13,
    "take_turn: before journaling answer": 13,
    "take_turn: journaled answer": 13,
    "take_turn: before journaling intent": 4,
    "take_turn: journaled intent": 4,
    "take_turn: before file is written": 4,
    "take_turn: file written": 4,
    "take_turn: before starting run": 3,
    "take_turn: started run": 3,
    "take_turn: before journaling tool": 16,
    "take_turn: journaled tool": 16,
    "take_turn: before starting keep": 4,
    "take_turn: started keep": 4,
    "take_turn: state kept": 4,
    "take_turn: before journaling state": 4,
    "take_turn: journaled state": 4,
    "take_turn: before journaling turn": 13,
    "take_turn: journaled turn": 13,
    "close_run: asked": 6,
    "close_run: booked": 6,
    "take_turn: done": 13,
    "post_note: begun": 3,
    "post_note: done": 3,
    "run_checks: begun": 3,
    "run_checks: sandbox made": 3,
    "run_checks: before starting set-up": 3,
    "run_checks: started set-up": 3,
    "run_checks: before starting check": 3,
    "run_checks: started check": 3,
    "run_checks: before destroying": 3,
    "run_checks: sandbox taken away": 3,
    "run_checks: destroyed": 3,
    "run_checks: done": 3,
    "publish_change: begun": 2,
    "publish_change: before push": 2,
    "publish_change: pushed": 2,
    "publish_change: before saving": 1,
    "publish_change: saved": 1,
    "publish_change: done": 2,
    "open_pull_request: begun": 1,
    "open_pull_request: pull request drafted": 1,
    "open_pull_request: before saving": 1,
    "open_pull_request: saved": 1,
    "open_pull_request: done": 1,
    "read_diff: begun": 2,
    "read_diff: done": 2,
    "post_review: begun": 2,
    "post_review: before saving": 2,
    "post_review: saved": 2,
    "post_review: done": 2,
    "merge_pull_request: begun": 1,
    "merge_pull_request: merge commit made": 1,
    "merge_pull_request: before saving": 1,
    "merge_pull_request: saved": 1,
    "merge_pull_request: done": 1,
    "destroy_workspace: begun": 1,
    "destroy_workspace: before destroying": 1,
    "destroy_workspace: sandbox taken away": 1,
    "destroy_workspace: destroyed": 1,
    "destroy_workspace: done": 1,
    "read_bill: begun": 1,
    "bill: asked": 1,
    "bill: booked": 1,
    "read_bill: done": 1,
}
"""The points on a ticket's way, in the order of first passage, and how often at least a ticket comes past them."""

IN_CALL = frozenset({"call: reserved", "call: streaming", "call: answered", "take_turn: streaming"})
"""Where the gateway's death can cost the call under way."""

ALWAYS: Mapping[Victim, tuple[str, ...]] = {
    Victim.WORKER: (
        "take_turn: journaled turn",
        "take_turn: streaming",
        "take_turn: before journaling answer",
        "take_turn: journaled answer",
        "take_turn: journaled intent",
        "take_turn: file written",
        "take_turn: started run",
        "take_turn: started keep",
        "call: kept",
        "run_checks: started check",
        "take_turn: journaled prompt",
        "close_run: asked",
        "publish_change: pushed",
        "publish_change: done",
        "open_pull_request: saved",
        "open_pull_request: done",
        "post_review: saved",
        "merge_pull_request: merge commit made",
        "merge_pull_request: before saving",
        "move_ticket: card noted",
        "move_ticket: card written",
        "flow: task begun",
        "flow: task done",
    ),
    Victim.GATEWAY: (
        "call: reserved",
        "call: streaming",
        "call: answered",
        "call: kept",
        "call: handed on",
        "open_run: booked",
        "close_run: asked",
        "take_turn: started run",
        "run_checks: started check",
        "merge_pull_request: begun",
        "bill: asked",
    ),
    Victim.SERVER: (
        "take_turn: streaming",
        "take_turn: started run",
        "take_turn: journaled turn",
        "run_checks: started check",
        "publish_change: pushed",
        "open_pull_request: saved",
        "merge_pull_request: before saving",
        "open_run: asked",
        "flow: task done",
    ),
    Victim.SUPERVISOR: (
        "prepare_workspace: started set-up",
        "take_turn: started run",
        "take_turn: started keep",
        "run_checks: started set-up",
        "run_checks: started check",
    ),
}
"""The moments that matter most; each is among the kills, at a passage that the seed picks."""

MORE: Mapping[Victim, int] = {Victim.WORKER: 12, Victim.GATEWAY: 5, Victim.SERVER: 5}
"""How many points of the whole table come on top."""

PARKED = (
    Case(parked={Phase.PLAN_GATE: (Victim.WORKER,), Phase.MERGE_GATE: (Victim.SERVER,)}),
    Case(parked={Phase.PLAN_GATE: (Victim.SERVER, Victim.GATEWAY, Victim.WORKER), Phase.MERGE_GATE: (Victim.WORKER,)}),
)
SEVERAL = Case(
    kills=(
        Kill(victim=Victim.WORKER, at="take_turn: streaming", nth=30),
        Kill(victim=Victim.SERVER, at="take_turn: journaled intent", nth=2),
        Kill(victim=Victim.SUPERVISOR, at="take_turn: started run"),
        Kill(victim=Victim.GATEWAY, at="call: handed on", nth=6),
        Kill(victim=Victim.WORKER, at="run_checks: begun", nth=2),
        Kill(victim=Victim.WORKER, at="open_pull_request: begun"),
        Kill(victim=Victim.WORKER, at="post_review: before saving"),
    )
)
DESTROYED = tuple(
    Case(kills=(Kill(victim=Victim.SANDBOX, at=at, nth=nth),))
    for at, nth in (
        ("take_turn: begun", 5),
        ("take_turn: journaled intent", 1),
        ("take_turn: started run", 1),
        ("take_turn: journaled tool", 4),
        ("take_turn: state kept", 1),
        ("run_checks: started check", 1),
    )
)
"""The whole sandbox vanishes: between turns, within them, under the checks."""
TOLD = tuple(
    Case(kills=(Kill(victim=Victim.WORKER, at=at, nth=nth, gently=True),))
    for at, nth in (("take_turn: streaming", 15), ("take_turn: started run", 1), ("run_checks: started check", 1))
)
"""A deploy: the worker is told to stop in the middle of a step."""


def chosen() -> list[Case]:
    """The cases that are run."""
    pick = random.Random(SEED)
    kills = [*_always(pick), *_more(pick)]
    pick.shuffle(kills)
    together = [kills[at : at + A_TICKET] for at in range(0, len(kills), A_TICKET)]
    return [*PARKED, SEVERAL, *(Case(kills=tuple(few)) for few in together)]


def _always(pick: random.Random) -> Iterator[Kill]:
    for victim, points in ALWAYS.items():
        yield from (_at_some_passage(pick, victim, point) for point in points)


def _more(pick: random.Random) -> Iterator[Kill]:
    for victim, number in MORE.items():
        others = [point for point in PASSAGES if point not in ALWAYS[victim]]
        yield from (_at_some_passage(pick, victim, point) for point in pick.sample(others, number))


def _at_some_passage(pick: random.Random, victim: Victim, point: str) -> Kill:
    """Not the last of several: another kill may have had its work done already when it would come."""
    return Kill(victim=victim, at=point, nth=pick.randint(1, max(1, PASSAGES[point] - 1)))


def kill_points(cases: Iterable[Case]) -> set[str]:
    """The distinct kill points of the cases."""
    named: set[str] = set()
    for case in cases:
        named |= {kill.name for kill in case.kills}
        named |= {f"{victim} @ parked: {phase}" for phase, victims in case.parked.items() for victim in victims}
    return named
