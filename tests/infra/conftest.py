"""A `pawl up` that the tests of a file share."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.infra.command_line import ROOT, environment
from tests.infra.running import KEY, Up, make_tape


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    home, heard = folder / "home", folder / "up.jsonl"
    home.mkdir()
    home.chmod(0o755)  # somebody made it before Pawl, as folders are made
    with heard.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "starter.py"), "up"],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment(home, ANTHROPIC_API_KEY=KEY),
            text=True,
        )
    running = Up(home, process, heard, make_tape(folder / "tape.jsonl"))
    try:
        running.until(lambda: '{"up"' in heard.read_text(), seconds=200)
        yield running
    finally:
        process.terminate()
        process.wait(timeout=60)
