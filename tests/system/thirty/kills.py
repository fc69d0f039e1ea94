"""Who is killed when: drawn by lot once, from points that the night in question comes past."""

import random
from dataclasses import dataclass

from infra.parts import Part
from tests.system.crash.switch import Kill, Victim
from tests.system.thirty import story
from tests.system.thirty.story import Night

SEED = 20_261_122

EVERY = (
    "open_notebook: begun",
    "open_notebook: done",
    "open_repository: begun",
    "open_repository: done",
    "gather_context: done",
    "find_recent: begun",
    "find_recent: done",
    "list_open: done",
    "run_checks: sandbox made",
    "run_checks: started check",
    "run_checks: before destroying",
    "run_checks: done",
    "keep_notebook: before the file is kept",
    "keep_notebook: file kept",
    "keep_notebook: done",
    "flow: task begun",
    "flow: task done",
)
"""Points of any night."""
ASKED = (
    "open_account: asked",
    "open_account: booked",
    "gather_evidence: done",
    "prepare_workspace: sandbox made",
    "open_run: booked",
    "take_turn: streaming",
    "take_turn: before journaling answer",
    "take_turn: journaled answer",
    "take_turn: before journaling turn",
    "take_turn: journaled turn",
    "take_turn: done",
    "close_run: asked",
    "close_run: booked",
    "read_bill: done",
    "destroy_workspace: begun",
)
TRIED = ("try_command: begun", "try_command: started run", "try_command: before destroying", "try_command: done")
FILED = ("file_ticket: begun", "file_ticket: before the card", "file_ticket: card made", "file_ticket: done")
OF_GATEWAY = ("call: reserved", "call: streaming", "call: answered", "call: kept")
BETWEEN = {5: (Part.SERVER,), 12: (Part.WORKER,), 17: (Part.GATEWAY,), 22: (Part.SERVER, Part.WORKER)}
"""Who dies just before a night begins."""


@dataclass(frozen=True)
class Lot:
    """What one night has to bear."""

    kills: tuple[Kill, ...] = ()
    """In the night, where somebody comes past."""
    between: tuple[Part, ...] = ()
    """Just before it begins."""

    @property
    def gateway_kills(self) -> int:
        return sum(kill.victim is Victim.GATEWAY for kill in self.kills)

    @property
    def words(self) -> str:
        return ", ".join([*(f"{part} before the night" for part in self.between), *(kill.name for kill in self.kills)])


def drawn() -> dict[int, Lot]:
    pick = random.Random(SEED)
    first, second = pick.sample(OF_GATEWAY, 2)
    calls = {7: first, 21: second}
    return {number: _lot(pick, number, calls.get(number, "")) for number in range(1, story.NIGHTS + 1)}


def _lot(pick: random.Random, number: int, call: str) -> Lot:
    """`call`: where in a model call the gateway dies."""
    night = story.night(number)
    if call:
        kills = (Kill(victim=Victim.GATEWAY, at=call),)
    elif night.tickets:
        kills = (Kill(victim=Victim.WORKER, at=pick.choice(FILED)), _any(pick, night))
    else:
        kills = (_any(pick, night),) if pick.random() < 0.5 else ()
    return Lot(kills, BETWEEN.get(number, ()))


def _any(pick: random.Random, night: Night) -> Kill:
    points = [*EVERY, *(ASKED if night.asked else ()), *(TRIED if night.tickets and night.asked else ())]
    victim = pick.choice((Victim.WORKER, Victim.WORKER, Victim.SERVER))
    at = pick.choice(points)
    often = at.startswith(("flow: ", "take_turn: streaming"))
    return Kill(victim=victim, at=at, nth=pick.randint(1, 8) if often else 1)
