"""What answers in a remote sandbox is not believed: whoever is root there can answer in our program's place."""

import base64
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from activities.sandbox.launch import OUTPUT_CAP
from activities.sandbox.remote import sandbox as remote
from activities.sandbox.remote.answers import MOST_BYTES, Done, Seen, Taken, read_answer
from activities.sandbox.remote.sandbox import RemoteSandbox
from activities.sandbox.remote.vendor import Said
from tests.fakes.box_vendor import BoxVendor
from tests.ports.sandbox.providers import made
from workflows.ports.sandbox import BadSpec, Denied, JobState, SandboxRef, Transient

ENDED = {"ended": True, "more": False, "out": "", "err": "", "reason": "exited", "code": 0, "truncated": False}
RUNS = {"ended": False, "more": False, "out": "", "err": ""}


def text(size: int) -> str:
    return base64.b64encode(b"x" * size).decode()


@pytest.mark.parametrize(
    "said",
    [
        "",
        "{}",
        "[]",
        '{"a":' + "[" * 200_000,
        "{" + " " * (3 << 20) + "}",
        json.dumps({"error": "SystemExit", "message": "x"}),
        '{"error": "Denied", "message": "\\ud800"}',
        json.dumps(ENDED | {"reason": "wonderful"}),
        json.dumps(ENDED | {"reason": None}),
        json.dumps(ENDED | {"code": "0; rm"}),
        json.dumps(ENDED | {"code": -1}),
        json.dumps(ENDED | {"code": None}),
        json.dumps(ENDED | {"reason": "timeout"}),
        json.dumps(ENDED | {"truncated": "maybe"}),
        json.dumps(ENDED | {"out": "\N{SNOWMAN}"}),
        json.dumps(ENDED | {"out": 7}),
        json.dumps(ENDED | {"out": text(MOST_BYTES), "err": text(1)}),
        json.dumps(ENDED | {"more": True}),
        json.dumps(RUNS | {"reason": "exited", "code": 0}),
    ],
)
def test_what_our_program_never_says(said: str) -> None:
    with pytest.raises(Transient, match="Pawl's program"):
        read_answer(Said(code=0, out=said), Seen)


@pytest.mark.parametrize(
    "staged", ["", "/etc/shadow", "/opt/pawl/out/../jobs", "-rf", "/opt/pawl/out/0123456789abcdeF"]
)
def test_a_file_is_fetched_from_our_own_folder_only(staged: str) -> None:
    with pytest.raises(Transient, match="Pawl's program"):
        read_answer(Said(code=0, out=json.dumps({"staged": staged})), Taken)


def test_what_it_does_say() -> None:
    assert read_answer(Said(code=0, out="noise\n" + json.dumps(ENDED | {"out": text(2)})), Seen).out == b"xx"
    assert read_answer(Said(code=0, out='{"data": ""}'), Taken).data == b""
    assert read_answer(Said(code=0, out="{}"), Done) == Done()


def test_its_words_move_no_cursor() -> None:
    words = json.dumps({"error": "Denied", "message": "no\x1b]0;owned\x07\n\u202e\x1b[2J" + "x" * 600})
    with pytest.raises(Denied) as raised:
        read_answer(Said(code=0, out=words), Done)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) <= 500
    with pytest.raises(Transient) as raised:
        read_answer(Said(code=1, out="", err="bad\x1b[2J"), Done)
    assert str(raised.value).isprintable()


class Forged(BoxVendor):
    """Something else answers in our program's place."""

    answer: Callable[[], object] | None = None
    asked = 0

    async def run(self, instance: str, argv: tuple[str, ...], timeout_seconds: float) -> Said:
        if self.answer and argv[-2] in ("poll", "take"):
            self.asked += 1
            return Said(code=0, out=json.dumps(self.answer()))
        return await super().run(instance, argv, timeout_seconds)


@pytest.fixture
async def vendor(tmp_path: Path) -> AsyncGenerator[Forged]:
    vendor = Forged(tmp_path / "sandboxes")
    yield vendor
    await vendor.remove("one")


@pytest.fixture
def sandbox(vendor: Forged) -> RemoteSandbox:
    return RemoteSandbox(vendor)


@pytest.fixture
async def ref(sandbox: RemoteSandbox) -> SandboxRef:
    return await made(sandbox)


@pytest.mark.sandbox
@pytest.mark.parametrize("state", [ENDED, RUNS])
async def test_output_without_an_end(
    vendor: Forged, sandbox: RemoteSandbox, ref: SandboxRef, state: dict[str, object]
) -> None:
    answer = state | {"more": True, "out": text(MOST_BYTES)}
    vendor.answer = lambda: answer
    with pytest.raises(Transient, match="no end"):
        await sandbox.poll(ref, "j")
    assert vendor.asked == OUTPUT_CAP // MOST_BYTES + 1


@pytest.mark.sandbox
async def test_output_that_trickles(
    vendor: Forged, sandbox: RemoteSandbox, ref: SandboxRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_REST_SECONDS", 0.2)
    vendor.answer = lambda: ENDED | {"more": True, "out": text(1)}
    view = await sandbox.poll(ref, "j")
    assert (view.state, view.reason, view.out_next) == (JobState.RUNNING, None, len(view.out))
    vendor.answer = lambda: RUNS | {"more": True}
    assert (await sandbox.poll(ref, "j")).out == b""


@pytest.mark.sandbox
async def test_more_of_a_file_than_was_asked_for(vendor: Forged, sandbox: RemoteSandbox, ref: SandboxRef) -> None:
    vendor.answer = lambda: {"data": text(11)}
    with pytest.raises(BadSpec, match="larger than 10 bytes"):
        await sandbox.read(ref, "f", 10)
