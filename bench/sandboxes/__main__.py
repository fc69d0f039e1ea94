"""`make bench-sandbox`, `python -m bench.sandboxes`: measure and report. See docs/operate/bench.md."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from activities.sandbox.bubblewrap import BubblewrapSandbox
from bench.machine import leave_others_alone
from bench.process import host, say
from bench.sandboxes import measure
from bench.sandboxes.results import Out, SandboxResults, Start, lines
from infra.exits import exit_now
from infra.parts import ROOT
from workflows.domain.model import Record
from workflows.ports.sandbox import SandboxError

BUILD = ROOT / "build"


class Size(Record):
    name: str
    commands: int
    at_once: int
    megabytes: tuple[int, ...]


FULL = Size(name="full", commands=50, at_once=50, megabytes=(1, 10, 100))
QUICK = Size(name="quick", commands=5, at_once=5, megabytes=(1,))


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench-sandbox", description="What sandboxes cost this machine.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--json", action="store_true", help="print the JSON alone")
    chosen = parser.parse_args(words)
    leave_others_alone()
    BUILD.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="bench-sandbox-", dir=BUILD))
    try:
        results = asyncio.run(measured(home, QUICK if chosen.quick else FULL))
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(home, ignore_errors=True)
    text = results.model_dump_json(indent=1)
    (BUILD / "bench-sandbox.json").write_text(f"{text}\n")
    if not chosen.json:
        print("\n".join([*lines(results), "", f"The same as JSON, also in {BUILD.name}/bench-sandbox.json:"]))
    print(json.dumps(json.loads(text)))
    return 0


async def measured(home: Path, size: Size) -> SandboxResults:
    sandbox = BubblewrapSandbox(home / "sandboxes")
    say(f"{size.commands} commands, one after the other")
    command = await measure.command(sandbox, size.commands)
    say(f"{size.at_once} sandboxes at once")
    many = await measure.many(sandbox, size.at_once)
    starts: list[Start] = []
    out: list[Out] = []
    for megabytes in size.megabytes:
        say(f"a repository of {megabytes} MB")
        start, taken = await measure.Checkouts(home / f"{megabytes}", sandbox, megabytes).measured()
        starts.append(start)
        out += taken
    return SandboxResults(
        host=host(),
        size=size.name,
        tier=sandbox.capabilities.tier,
        command=command,
        starts=tuple(starts),
        out=tuple(out),
        many=many,
    ).judged()


if __name__ == "__main__":
    exit_now(main(sys.argv[1:]))
