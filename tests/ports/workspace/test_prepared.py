"""Prepared images: installed once, used by every sandbox, and never part of the work."""

import asyncio
import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from activities.git import TrustedClones
from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.workspace.checkouts import SandboxCheckouts
from activities.workspace.errors import NotPrepared
from tests.ports.workspace.helpers import called, images, prepared, sh
from tests.repos import commit, git
from workflows.domain.environment import Prepare
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import EntryKind, Journal
from workflows.ports.sandbox import PolicyUnsupported

pytestmark = pytest.mark.sandbox

INSTALL = (
    "read=READ; mkdir -p .venv 'odd [x]' && cp ${read}ME .venv/tool && echo made > 'odd [x]/lib'",
    "own=own; read=READ; echo made > ${own}.txt; echo ran >> ${read}ME; rm src/code.py; echo here > ~/.cache-of-tools",
)
"""It names none of the files that other bases change: whatever a line names would ask for a preparation of its own."""


async def test_what_was_installed_is_there_and_is_no_change(
    checkouts: SandboxCheckouts, clones: TrustedClones, journal: Journal, order: WorkspaceOrder
) -> None:
    order = await prepared(clones, order, Prepare(run=INSTALL))
    checkout = await checkouts.open(order)
    script = "cat .venv/tool 'odd [x]/lib' own.txt ~/.cache-of-tools README src/code.py; git status --short"
    assert await sh(checkout, "j", script) == "hello\nmade\nmade\nhere\nhello\nx = 1\n"
    assert await checkout.keep_state("k") is None
    await sh(checkout, "l", "echo changed > README; echo new > new.txt")
    state = await checkout.keep_state("m")
    again = await checkouts.open(called(order, "t1.builder2").model_copy(update={"state": state}))
    assert await sh(again, "j", "git status --short; cat own.txt") == " M README\n?? new.txt\nmade\n"
    assert await again.keep_state("k") == state
    assert await images(journal) == 1


async def test_it_is_installed_once_for_all(
    checkouts: SandboxCheckouts,
    clones: TrustedClones,
    journal: Journal,
    order: WorkspaceOrder,
    sandbox: BubblewrapSandbox,
) -> None:
    order = await prepared(clones, order, Prepare(run=("cat /proc/sys/kernel/random/uuid > own.txt",)))
    found = await asyncio.gather(*(checkouts.open(called(order, f"t{n}")) for n in range(3)))
    assert len({await sh(checkout, "j", "cat own.txt") for checkout in found}) == 1
    assert await images(journal) == 1
    assert sorted(info.ref.key for info in await sandbox.list({})) == ["t0", "t1", "t2"], "and its own sandbox is gone"


async def test_another_base_with_the_same_lock_files_uses_the_image(
    checkouts: SandboxCheckouts, clones: TrustedClones, journal: Journal, order: WorkspaceOrder
) -> None:
    first = await prepared(clones, order, Prepare(run=INSTALL))
    await checkouts.open(first)
    origin = Path(order.repository.url)
    git(origin, "rm", "-q", "data.bin")
    commit(origin, {"README": "newer\n", "own.txt": "theirs\n"})
    _, sha = await clones.fetch("origin", order.repository.url)
    moved = order.repository.model_copy(update={"base_sha": sha})
    second = await prepared(clones, called(order, "t2").model_copy(update={"repository": moved}), Prepare(run=INSTALL))
    checkout = await checkouts.open(second)
    script = "cat README own.txt .venv/tool; ls data.bin; git status --short; git log --oneline | wc -l"
    assert await sh(checkout, "j", f"({script}) 2>/dev/null") == "newer\ntheirs\nhello\n2\n"
    assert await checkout.keep_state("k") is None
    assert await images(journal) == 1


async def test_changed_lock_files_are_prepared_anew(
    checkouts: SandboxCheckouts, clones: TrustedClones, journal: Journal, order: WorkspaceOrder
) -> None:
    prepare = Prepare(run=("cat deps.lock > own.txt 2>/dev/null || echo none > own.txt",))
    await checkouts.open(await prepared(clones, order, prepare))
    commit(Path(order.repository.url), {"deps.lock": "one\n"})
    _, sha = await clones.fetch("origin", order.repository.url)
    moved = order.repository.model_copy(update={"base_sha": sha})
    order = called(order, "t2").model_copy(update={"repository": moved})
    checkout = await checkouts.open(await prepared(clones, order, prepare))
    assert await sh(checkout, "j", "cat own.txt") == "one\n"
    assert await images(journal) == 2


async def test_a_failing_command_says_what_it_said_and_is_tried_again_by_whoever_resumes(
    checkouts: SandboxCheckouts,
    clones: TrustedClones,
    journal: Journal,
    order: WorkspaceOrder,
    sandbox: BubblewrapSandbox,
) -> None:
    order = await prepared(clones, order, Prepare(run=("echo the index is away >&2; exit 3",)))
    for _ in range(2):
        with pytest.raises(NotPrepared, match=r"(?s)exit 3` exited 3.*the index is away.*pawl\.sandbox\.prepare"):
            await checkouts.open(order)
    assert await images(journal) == 0
    assert await sandbox.list({}) == []


async def test_an_image_that_has_vanished_is_made_again(
    checkouts: SandboxCheckouts,
    clones: TrustedClones,
    journal: Journal,
    order: WorkspaceOrder,
    sandbox: BubblewrapSandbox,
) -> None:
    order = await prepared(clones, order, Prepare(run=INSTALL))
    image = await checkouts.image(order)
    assert image is not None
    await sandbox.forget(image.reference)
    checkout = await checkouts.open(order)
    assert await sh(checkout, "j", "cat own.txt") == "made\n"
    assert await images(journal) == 2


async def test_an_image_is_such_that_a_start_reads_no_file_of_it(
    checkouts: SandboxCheckouts, clones: TrustedClones, order: WorkspaceOrder, tmp_path: Path
) -> None:
    """Git reads again what is not older than its index, to the second; and a base bundle is as large as the history."""
    await checkouts.image(await prepared(clones, order, Prepare(run=INSTALL)))
    (work,) = tmp_path.glob("sandboxes/.images/*/work")
    files = [path for path in (work / "repo").rglob("*") if path.is_file() and ".git" not in path.parts]
    youngest = max(int(path.stat().st_mtime) for path in files)
    assert int((work / ".pawl/git/index").stat().st_mtime) > youngest
    assert not (work / ".pawl/base.bundle").exists()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """A package index on loopback: its host and port."""
    folder = tmp_path / "index"
    folder.mkdir()
    (folder / "package").write_text("p" * 5_000)

    class Quiet(SimpleHTTPRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


FETCH = """python3 -c "import sys, urllib.request as u; print(len(u.urlopen('http://{}/package').read()))" """


async def test_the_preparation_has_a_network_and_the_agent_has_none(
    checkouts: SandboxCheckouts, clones: TrustedClones, journal: Journal, order: WorkspaceOrder, index: str
) -> None:
    fetch = FETCH.format(index)
    order = await prepared(clones, order, Prepare(run=(f"{fetch} > own.txt",), network=(index,)))
    checkout = await checkouts.open(order)
    assert await sh(checkout, "j", "cat own.txt") == "5000\n"
    assert not (await checkout.run("k", fetch, 20)).ok
    assert await journal.entries(order.key) == []
    reached = await journal.entries(f"{order.key}.prepare")
    assert [entry.key.partition("@")[0] for entry in reached] == ["egress-prepare-1"]


async def test_what_was_let_out_is_in_the_journal_with_bytes(
    checkouts: SandboxCheckouts, journal: Journal, order: WorkspaceOrder, index: str
) -> None:
    asked = order.sandbox.model_copy(update={"network": (index,)})
    checkout = await checkouts.open(order.model_copy(update={"sandbox": asked}))
    assert await sh(checkout, "j", FETCH.format(index)) == "5000\n"
    assert not (await checkout.run("k", FETCH.format("127.0.0.1:1"), 20)).ok
    let_out, refused = await journal.entries(order.key)
    assert (let_out.kind, let_out.key) == (EntryKind.EGRESS, f"egress-run:j@{checkout.instance}")
    decided, ended = map(json.loads, (await journal.load_text(let_out.body)).splitlines())
    assert (decided["allowed"], decided["rule"]) == (True, index)
    assert ended["received"] > 5_000
    assert json.loads(await journal.load_text(refused.body))["allowed"] is False


async def test_a_provider_without_snapshots_is_refused(
    checkouts: SandboxCheckouts,
    clones: TrustedClones,
    order: WorkspaceOrder,
    sandbox: BubblewrapSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without = sandbox.capabilities.model_copy(update={"snapshot": False})
    monkeypatch.setattr(BubblewrapSandbox, "capabilities", without)
    order = await prepared(clones, order, Prepare(run=INSTALL))
    with pytest.raises(PolicyUnsupported, match="keeps no snapshots"):
        await checkouts.open(order)
