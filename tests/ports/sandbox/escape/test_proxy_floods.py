"""The proxy as a way to fill the host, and as a process of the host that the sandbox speaks to."""

import os
from pathlib import Path

import pytest

from activities.sandbox.supervisor.egress import ROOM
from tests.ports.sandbox.escape.raw import raw, tries
from tests.ports.sandbox.escape.web import ASK, decisions, let_out, serving
from tests.ports.sandbox.providers import host_processes, python, ran, until
from workflows.ports.sandbox import ExitReason, Sandbox

pytestmark = pytest.mark.sandbox

MOST_WRITTEN = 128 * 1024
"""Bytes that one flood below may leave in the job's folder."""


def written(tmp_path: Path, job: str) -> int:
    [folder] = (tmp_path / "sandboxes").glob(f"*/jobs/{job}-*")
    return sum((folder / name).stat().st_size for name in ("egress", "log"))


FLOODS = {
    "long names": "b'CONNECT ' + b'\\xff' * 7_900 + b':443 HTTP/1.1' + END",
    "long names that a rule covers": "b'CONNECT ' + b'a' * 7_900 + b'.example.org:443 HTTP/1.1' + END",
    "ports with thousands of digits": "b'CONNECT a:' + b'0' * 7_000 + b' HTTP/1.1' + END",
    "names that end early": "b'CONNECT a\\0.example.org:443 HTTP/1.1' + END",
    "addresses that cannot be read": "b'GET http://[' + b'x' * 7_000 + b' HTTP/1.1' + END",
    "heads that never end": "b'GET http://a/ HTTP/1.1\\r\\n' + b'a: b\\r\\n' * 20_000",
    "nothing": "b''",
}


@pytest.mark.parametrize("kind", FLOODS)
async def test_refusals_do_not_fill_the_hosts_disk(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    async with serving() as server:
        ref = await let_out(sandbox, f"127.0.0.1:{server.port}", "*.example.org")
        script = f"""
for _ in range(60):
    s = socket.create_connection(("127.0.0.1", 3128), timeout=20)
    try:
        s.sendall({FLOODS[kind]}); s.shutdown(socket.SHUT_WR); s.recv(1000)
    except OSError: pass
    s.close()
if status(b"GET http://127.0.0.1:{server.port}/ HTTP/1.1" + END) != 200: print("the proxy is gone")
"""
        view = await ran(sandbox, ref, "flood", python(raw(ASK + script)))
    assert (view.reason, view.out, view.err) == (ExitReason.EXITED, b"", b"")
    assert written(tmp_path, "flood") < MOST_WRITTEN


async def test_all_jobs_of_a_sandbox_share_the_room_for_what_they_ask(sandbox: Sandbox, tmp_path: Path) -> None:
    async with serving() as server:
        here = f"127.0.0.1:{server.port}"
        ref = await let_out(sandbox, here)
        ask = python(raw(ASK + f'print(status(b"GET http://{here}/ HTTP/1.1" + END), status(b"x" + END))'))
        assert (await ran(sandbox, ref, "first", ask)).out == b"200 400\n"
        earlier = tmp_path / "sandboxes/out/jobs/earlier"
        earlier.mkdir()
        with (earlier / "egress").open("wb") as log:
            log.truncate(ROOM)
        assert (await ran(sandbox, ref, "second", ask)).out == b"429 429\n"
        assert len(server.heard) == 1
    assert written(tmp_path, "second") == 0


async def test_a_flood_of_connections_is_the_jobs_own_trouble(sandbox: Sandbox, tmp_path: Path) -> None:
    """More than are served at once, each with half a request; another sandbox does not notice."""
    async with serving() as server:
        here = f"127.0.0.1:{server.port}"
        ref, calm = await let_out(sandbox, here), await let_out(sandbox, here, key="calm")
        flood = """
held = []
for _ in range(600):
    s = socket.socket(); s.setblocking(False); s.connect_ex(("127.0.0.1", 3128)); held.append(s)
    if len(held) % 100 == 0: time.sleep(0.05)
for s in held:
    try: s.send(b"GET http://a/ HTTP/1.1\\r\\na: " + b"x" * 20_000)
    except OSError: pass
open("/work/ready", "w").close(); time.sleep(30)
"""
        await sandbox.start(ref, "flood", python(raw(flood)))
        await until(lambda: (tmp_path / "sandboxes/out/work/ready").exists())
        await tries(
            sandbox,
            calm,
            ASK + f'if status(b"GET http://{here}/ HTTP/1.1" + END) != 200: print("succeeded: another is disturbed")',
            job="calm",
        )
        await sandbox.kill(ref, "flood")
    assert written(tmp_path, "flood") < MOST_WRITTEN


async def test_the_proxys_process_is_out_of_reach(sandbox: Sandbox, mark: str, tmp_path: Path) -> None:
    """Nobody inside sees it, and it belongs to another user than the sandbox where we may choose."""
    async with serving() as server:
        ref = await let_out(sandbox, f"127.0.0.1:{server.port}", f"a{mark}.example:443")
        script = """
seen = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if int(pid) not in (1, os.getpid(), os.getppid())]
print(seen, status(b"x" + END), flush=True)
open("/work/ready", "w").close(); time.sleep(30)
"""
        await sandbox.start(ref, "j", python(raw(ASK + script)))
        await until(lambda: (tmp_path / "sandboxes/out/work/ready").exists())
        [proxy] = host_processes(f"a{mark}.example")
        assert (await sandbox.poll(ref, "j")).out == b"[] 400\n"
        status = Path(f"/proc/{proxy}/status").read_text()
        if os.geteuid() == 0:
            owner = (tmp_path / "sandboxes/out/work").stat().st_uid
            assert f"Uid:\t{owner}\t" not in status
            assert "Uid:\t0\t" not in status
        assert "NoNewPrivs:\t1" in status
        await sandbox.kill(ref, "j")
    await until(lambda: not host_processes(mark))


async def test_nothing_but_the_proxy_listens_and_nothing_else_leads_out(sandbox: Sandbox) -> None:
    """With an allowlist too there is no second way: no address, no name server, no socket of the host."""
    async with serving() as server:
        ref = await let_out(sandbox, f"127.0.0.1:{server.port}")
        await tries(
            sandbox,
            ref,
            f"""
def connect(family, where):
    s = socket.socket(family, socket.SOCK_STREAM); s.settimeout(0.2); s.connect(where)
for port in (22, 53, 80, 443, 2375, 3129, 6443, 8080, {server.port}):
    for host in ("127.0.0.1", "127.0.0.2", "0.0.0.0", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fe80::1%lo"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        attempt(f"{{host}} {{port}}", lambda: connect(family, (host, port)))
for kind, protocol in ((socket.SOCK_RAW, 1), (socket.SOCK_RAW, 255), (socket.SOCK_DGRAM, 1)):
    attempt(f"ping {{kind}}", lambda: socket.socket(socket.AF_INET, kind, protocol).sendto(bytes(8), ("8.8.8.8", 0)))
attempt("resolve", lambda: socket.getaddrinfo("example.org", 80))
s = socket.create_connection(("127.0.0.1", 3128))
attempt("a mark for the host's routing", lambda: s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 1))
""",
        )
        assert server.heard == []


async def test_decisions_have_a_number_and_then_an_end(sandbox: Sandbox, tmp_path: Path) -> None:
    async with serving() as server:
        ref = await let_out(sandbox, f"127.0.0.1:{server.port}")
        many = f"""
ends = set()
for n in range(60): ends.add(status(b"GET http://127.0.0.1:{server.port}/ HTTP/1.1" + END))
print(ends)
"""
        assert (await ran(sandbox, ref, "many", python(raw(ASK + many)))).out == b"{200}\n"
        numbers = [decision["n"] for decision in decisions(tmp_path, "many") if "host" in decision]
    assert numbers == list(range(1, 61))
    assert len(server.heard) == 60
