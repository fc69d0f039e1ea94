"""`make bench-ingress`, `python -m bench.ingress`: measure and report. See docs/operate/ingress.md."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.ingress.measure import Size, measured
from bench.ingress.results import IngressResults, Run, lines
from bench.machine import leave_others_alone
from bench.process import host, say
from infra.exits import PawlError, exit_now
from infra.stack import ROOT

BUILD = ROOT / "build"


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench-ingress", description="How webhooks are taken on this machine.")
    parser.add_argument("--rate", type=float, default=200, help="deliveries a second (200)")
    parser.add_argument("--seconds", type=float, default=60, help="for so long (60)")
    parser.add_argument("--away", type=float, default=10, help="seconds without Temporal in the second run (10)")
    parser.add_argument("--only", choices=["steady", "away"], help="one of the two runs")
    parser.add_argument("--json", action="store_true", help="print the JSON alone")
    chosen = parser.parse_args(words)
    leave_others_alone()
    BUILD.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="bench-ingress-", dir=BUILD))
    sizes = [
        Size(rate=chosen.rate, seconds=chosen.seconds, away_seconds=away)
        for name, away in (("steady", 0.0), ("away", chosen.away))
        if chosen.only in (None, name)
    ]
    try:
        results = asyncio.run(run(home, sizes))
    except PawlError as problem:
        print(problem, file=sys.stderr)
        return problem.exit
    finally:
        shutil.rmtree(home, ignore_errors=True)
    text = results.model_dump_json(indent=1)
    (BUILD / "bench-ingress.json").write_text(f"{text}\n")
    if not chosen.json:
        print("\n".join([*lines(results), "", f"The same as JSON, also in {BUILD.name}/bench-ingress.json:"]))
    print(json.dumps(json.loads(text)))
    return 0


async def run(home: Path, sizes: Sequence[Size]) -> IngressResults:
    runs: list[Run] = []
    for number, size in enumerate(sizes):
        say(size.name)
        runs.append(await measured(home / str(number), size))
    return IngressResults(host=host(), runs=tuple(runs)).judged()


if __name__ == "__main__":
    exit_now(main(sys.argv[1:]))
