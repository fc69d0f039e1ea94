"""`make bench`, `python -m bench`: measure and report. What the numbers mean is in docs/operate/bench.md."""

import argparse
import asyncio
import json
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import phases
from bench.drive import Driver
from bench.floor import floor
from bench.machine import Kind, leave_others_alone, machine
from bench.process import host, say
from bench.report import lines, targets
from bench.results import Configuration, Floor, Parked, Results
from infra.exits import PawlError, exit_now
from infra.parts import ROOT
from workflows.domain.model import Record

PARKED = "parked"
TURNS, MANY_TURNS = 20, 60
BUILD = ROOT / "build"


class Size(Record):
    """How much is measured."""

    name: str
    tickets: dict[Kind, int]
    at_once: int
    kills: int
    parked: tuple[int, ...]
    parking_seconds: float
    """After this no further tickets are parked; the report says how many were."""


FULL = Size(
    name="full",
    tickets={Kind.WHOLE: 30, Kind.ORCHESTRATION: 150},
    at_once=10,
    kills=5,
    parked=(1_000, 10_000),
    parking_seconds=math.inf,
)
QUICK = Size(
    name="quick",
    tickets={Kind.WHOLE: 4, Kind.ORCHESTRATION: 15},
    at_once=4,
    kills=1,
    parked=(100, 1_000),
    parking_seconds=60,
)


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description="What a ticket costs this machine.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--only", choices=[*Kind, PARKED], help="one part of it")
    parser.add_argument("--json", action="store_true", help="print the JSON alone")
    chosen = parser.parse_args(words)
    size = QUICK if chosen.quick else FULL
    leave_others_alone()
    BUILD.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=BUILD))
    try:
        results = asyncio.run(measured(home, size, chosen.only))
    except PawlError as problem:
        print(problem, file=sys.stderr)
        return problem.exit
    finally:
        shutil.rmtree(home, ignore_errors=True)
    text = results.model_dump_json(indent=1)
    (BUILD / "bench.json").write_text(f"{text}\n")
    if not chosen.json:
        print("\n".join([*lines(results), "", f"The same as JSON, also in {BUILD.name}/bench.json:"]))
    print(json.dumps(json.loads(text)))
    return 0


async def measured(home: Path, size: Size, only: str | None) -> Results:
    begun = time.monotonic()
    configurations: dict[str, Configuration] = {}
    floors: list[Floor] = []
    for kind in Kind:
        if only in (None, kind):
            configurations[kind], plain = await _configuration(home / kind, kind, size)
            floors.append(plain)
    parked = await _parked(home / PARKED, size) if only in (None, PARKED) else ()
    return Results(
        host=host(),
        size=size.name,
        seconds=round(time.monotonic() - begun, 1),
        floor=floors[-1] if floors else None,
        configurations=configurations,
        parked=parked,
        targets=targets(configurations, parked),
    )


async def _configuration(home: Path, kind: Kind, size: Size) -> tuple[Configuration, Floor]:
    async with machine(home, kind) as running:
        few, many = await running.keep_tape(TURNS), await running.keep_tape(MANY_TURNS)
        driver = Driver(running, few)
        say(f"{kind}: {size.tickets[kind]} tickets, {size.at_once} at once")
        pulled = await phases.throughput(driver, size.tickets[kind], size.at_once)
        say(f"{kind}: one ticket alone with {TURNS} turns, one with {MANY_TURNS}")
        histories = (await phases.history(driver, TURNS), await phases.history(Driver(running, many), MANY_TURNS))
        say(f"{kind}: the plain floor")
        plain = await floor(running, few, TURNS, size.tickets[kind], size.at_once)
        say(f"{kind}: {size.kills} kills of the worker, {size.at_once} tickets under way")
        killed = await phases.kills(driver, size.kills, size.at_once)
    return Configuration(throughput=pulled, histories=histories, kills=killed), plain


async def _parked(home: Path, size: Size) -> tuple[Parked, ...]:
    async with machine(home, Kind.ORCHESTRATION) as running:
        driver = Driver(running, await running.keep_tape(TURNS))
        say(f"{size.parked[-1]:,} tickets to the plan gate")
        return tuple(await phases.parked(driver, list(size.parked), time.monotonic() + size.parking_seconds))


if __name__ == "__main__":
    exit_now(main(sys.argv[1:]))
