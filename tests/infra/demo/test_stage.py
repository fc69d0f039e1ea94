"""What a demo that was killed has left is ended before the next one begins."""

from pathlib import Path
from uuid import uuid4

import pytest

from activities.sandbox.bubblewrap import BubblewrapSandbox
from infra import home
from infra.demo.stage import clear, own_home
from infra.exits import Refused
from infra.settings import Settings
from tests.ports.sandbox.providers import MODEST, host_processes, shell, until
from workflows.ports.sandbox import OURS, SandboxSpec

pytestmark = pytest.mark.sandbox


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PAWL_INSTALLATION", "somebody-elses")
    monkeypatch.setenv("PAWL_SANDBOX", "bubblewrap")
    return own_home(Settings(), tmp_path / "demo")


def no_trouble(words: str) -> None:
    raise AssertionError(words)


async def test_its_commands_end_and_what_was_fetched_stays(own: Settings) -> None:
    sandbox, mark = BubblewrapSandbox(own.home / "sandboxes"), f"3{uuid4().int % 10**9:09d}"
    ref = await sandbox.ensure(SandboxSpec(key="one", labels=dict(OURS), limits=MODEST))
    await sandbox.start(ref, "job", shell(f"sleep {mark}"))
    await until(lambda: bool(host_processes(f"sleep\0{mark}")))
    for name in ("downloads/file", "installation", "journal.db", "board/ENG-1.md"):
        (own.home / name).parent.mkdir(exist_ok=True)
        (own.home / name).write_text(name)
    clear(own, no_trouble)
    assert not host_processes(mark)
    assert not host_processes(str(own.home)), "supervisors name their sandbox's folder"
    assert sorted(path.name for path in own.home.iterdir()) == sorted(["downloads", "installation", home.LOCK])
    assert (own.home / "installation").read_text() == "installation", "the demo's own name, not the operator's"


def test_a_running_one_is_left_alone(own: Settings) -> None:
    with home.only_one(own):
        (own.home / "journal.db").touch()
        with pytest.raises(Refused, match="up already"):
            clear(own, no_trouble)
        assert (own.home / "journal.db").exists()


def test_what_cannot_be_ended_is_told(own: Settings) -> None:
    (own.home / "sandboxes").mkdir(parents=True)
    told: list[str] = []
    clear(own.model_copy(update={"sandbox": "no-such-provider"}), told.append)
    assert len(told) == 1
    assert "may be left" in told[0]
    assert "no-such-provider" in told[0]
