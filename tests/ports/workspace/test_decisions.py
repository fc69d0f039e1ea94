"""What a sandbox was let reach stays known, however its command and the sandbox itself end."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from activities.journal.decisions import keep_decisions
from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.supervisor import watch
from activities.workspace.checkouts import SandboxCheckouts
from activities.workspace.sandboxed import SandboxWorkspace
from infra.journal import JournalStore
from tests.ports.workspace.helpers import kill_supervisor, supervisor
from workflows.domain.policy import SandboxPolicy
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Journal
from workflows.ports.sandbox import Decisions, Gone
from workflows.ports.workspace import DestroyWorkspace

pytestmark = pytest.mark.sandbox

SENT = 5_000_000
SEND = f"""exec python3 -c "
import socket, time
s = socket.create_connection(('127.0.0.1', 3128))
s.sendall(b'CONNECT 127.0.0.1:%d HTTP/1.1\\r\\n\\r\\n')
s.recv(100); s.sendall(b'x' * {SENT}); time.sleep(60)
" """


class Sink:
    """A server that takes what it is sent, and never ends a connection."""

    def __init__(self) -> None:
        self.port = 0
        self.got = 0
        self.full = asyncio.Event()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                self.got += len(data)
                if self.got >= SENT:
                    self.full.set()
        writer.close()


@pytest.fixture
async def sink() -> AsyncGenerator[Sink]:
    sink = Sink()
    server = await asyncio.start_server(sink.take, "127.0.0.1", 0)
    sink.port = server.sockets[0].getsockname()[1]
    async with server:
        yield sink


@pytest.fixture
def let_out(order: WorkspaceOrder, sink: Sink) -> WorkspaceOrder:
    allowed = SandboxPolicy(memory_mb=512, seconds=60, network=(f"127.0.0.1:{sink.port}",))
    return order.model_copy(update={"sandbox": allowed})


async def sending(checkouts: SandboxCheckouts, order: WorkspaceOrder, sink: Sink) -> asyncio.Task[object]:
    """A command that has sent all it will, and goes on."""
    checkout = await checkouts.open(order)
    command = asyncio.create_task(checkout.run("j", SEND % sink.port, 50))
    async with asyncio.timeout(20):
        await sink.full.wait()
    return command


async def kept(journal: Journal, order: WorkspaceOrder) -> list[dict[str, object]]:
    [entry] = await journal.entries(order.key)
    assert entry.key.startswith("egress-run:j@")
    return [json.loads(line) for line in (await journal.load_text(entry.body)).splitlines()]


async def test_of_a_command_nobody_waits_for(
    checkouts: SandboxCheckouts, workspace: SandboxWorkspace, journal: Journal, let_out: WorkspaceOrder, sink: Sink
) -> None:
    command = await sending(checkouts, let_out, sink)
    command.cancel()
    await asyncio.wait({command})
    await workspace.destroy_workspace(DestroyWorkspace(key=let_out.key))
    decided, *_, ended = await kept(journal, let_out)
    assert (decided["port"], ended["n"], ended["sent"]) == (sink.port, decided["n"], SENT)
    assert "open" not in ended


async def test_on_a_machine_so_busy_that_the_proxy_takes_long_to_end(
    checkouts: SandboxCheckouts,
    workspace: SandboxWorkspace,
    journal: Journal,
    let_out: WorkspaceOrder,
    sink: Sink,
    tmp_path: Path,
) -> None:
    command = await sending(checkouts, let_out, sink)
    beside = await supervisor(tmp_path / "sandboxes" / let_out.key / "jobs", "run-j-*")
    [proxy] = [pid for pid in watch.children(beside) if b"egress.main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(proxy, signal.SIGSTOP)
    command.cancel()
    ending = asyncio.create_task(workspace.destroy_workspace(DestroyWorkspace(key=let_out.key)))
    await asyncio.sleep(2)
    os.kill(proxy, signal.SIGCONT)
    await asyncio.wait({command, ending})
    await ending
    *_, ended = await kept(journal, let_out)
    assert (ended["sent"], "open" in ended) == (SENT, False)


async def test_of_a_sandbox_that_dies(
    checkouts: SandboxCheckouts, journal: Journal, let_out: WorkspaceOrder, sink: Sink, tmp_path: Path
) -> None:
    command = await sending(checkouts, let_out, sink)
    await kill_supervisor(tmp_path / "sandboxes" / let_out.key / "jobs", "run-j-*")
    with pytest.raises(Gone):
        await command
    decided, *_, last = await kept(journal, let_out)
    assert decided["port"] == sink.port
    assert SENT // 2 < int(str(last["sent"])) <= SENT
    assert last["open"] is True


async def test_when_the_journal_was_away(
    checkouts: SandboxCheckouts,
    store: JournalStore,
    journal: Journal,
    let_out: WorkspaceOrder,
    sink: Sink,
    tmp_path: Path,
) -> None:
    """What cannot be written down is not removed; whoever sweeps next does both."""

    def away(_: Decisions) -> None:
        raise OSError("no space left")

    command = await sending(checkouts, let_out, sink)
    command.cancel()
    await asyncio.wait({command})
    root = tmp_path / "sandboxes"
    with pytest.raises(OSError, match="no space left"):
        await BubblewrapSandbox(root, witness=away).destroy(let_out.key)
    await BubblewrapSandbox(root, witness=partial(keep_decisions, store)).sweep()
    assert (await kept(journal, let_out))[0]["port"] == sink.port
    assert not list(root.glob(".gone-*"))
