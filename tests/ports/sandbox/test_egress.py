"""The way out: what the allowlist names is reached through the proxy, nothing else is, and all is written down."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from activities.sandbox.egress.hello import NO_SUCH_NAME
from tests.ports.sandbox.escape.web import hello
from tests.ports.sandbox.providers import MODEST, PYTHON, host_processes, ran, shell, until
from workflows.ports.sandbox import BadSpec, Command, ExitReason, JobView, Sandbox, SandboxRef, SandboxSpec

pytestmark = pytest.mark.sandbox

CLIENT = """
import sys, urllib.request
for url in sys.argv[1:]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            print(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode().strip())
    except OSError as error:
        print("failed", error)
"""


class Server:
    """An HTTP server on this machine's loopback that remembers what it was asked."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.heads: list[str] = []


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except (asyncio.IncompleteReadError, ConnectionError):  # the proxy has thought better of it
            writer.close()
            return
        told.heads.append(head)
        path = head.split()[1]
        if path.startswith("/to?"):
            writer.write(f"HTTP/1.1 302 Found\r\nLocation: {path[4:]}\r\nContent-Length: 0\r\n\r\n".encode())
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    told = Server(listening.sockets[0].getsockname()[1])
    async with listening:
        yield told


async def let_out(sandbox: Sandbox, *rules: str, key: str = "out") -> SandboxRef:
    return await sandbox.ensure(SandboxSpec(key=key, limits=MODEST, egress=rules))


async def fetched(sandbox: Sandbox, ref: SandboxRef, *urls: str, job: str = "fetch", **env: str) -> list[str]:
    command = Command(argv=(PYTHON, "-I", "-S", "-c", CLIENT, *urls), timeout_seconds=50, env=env)
    view = await ran(sandbox, ref, job, command)
    assert view.reason is ExitReason.EXITED, view
    return view.out.decode().splitlines()


def decisions(tmp_path: Path, job: str = "fetch") -> list[dict[str, object]]:
    [log] = (tmp_path / "sandboxes").glob(f"*/jobs/{job}-*/egress")
    return [json.loads(line) for line in log.read_text().splitlines()]


async def test_what_is_named_is_reached_and_written_down(sandbox: Sandbox, server: Server, tmp_path: Path) -> None:
    ref = await let_out(sandbox, f"localhost:{server.port}", f"127.0.0.1:{server.port}")
    url = f"http://localhost:{server.port}/a?b=c"
    assert await fetched(sandbox, ref, url) == ["200 hello"]
    [head] = server.heads
    assert head.startswith(f"GET /a?b=c HTTP/1.1\r\nHost: localhost:{server.port}\r\n")
    assert "Connection: close" in head
    decided, ended = decisions(tmp_path)
    assert (decided["verb"], decided["host"], decided["port"]) == ("GET", "localhost", server.port)
    assert (decided["allowed"], decided["rule"], decided["address"]) == (True, f"localhost:{server.port}", "127.0.0.1")
    assert (ended["n"], ended["sent"], ended["received"]) == (decided["n"], len(head), 43)


async def test_what_is_not_named_is_refused_in_words_and_written_down(
    sandbox: Sandbox, server: Server, tmp_path: Path
) -> None:
    ref = await let_out(sandbox, f"localhost:{server.port}")
    answers = await fetched(
        sandbox,
        ref,
        f"http://127.0.0.1:{server.port}/",  # the same server by a name nobody gave
        f"http://localhost:{server.port}/",  # a name that leads to this machine
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",  # the same address in a disguise
        "http://pypi.org/simple/",
        f"http://localhost:{server.port + 1}/",
    )
    assert [answer.partition(" ")[0] for answer in answers] == ["403"] * 7
    assert "is not on the allowlist of this sandbox (pawl.sandbox.network of WORKFLOW.md)" in answers[0]
    assert "is at 127.0.0.1, which is no public address" in answers[1] or "is at ::1, which is no" in answers[1]
    assert server.heads == []
    told = decisions(tmp_path)
    assert [decision["allowed"] for decision in told] == [False] * 7
    assert all(decision["why"] for decision in told)


async def test_a_redirect_leads_nowhere_that_is_not_named(sandbox: Sandbox, server: Server) -> None:
    here = f"127.0.0.1:{server.port}"
    ref = await let_out(sandbox, here)
    answers = await fetched(
        sandbox,
        ref,
        f"http://{here}/to?http://169.254.169.254/latest/meta-data/",
        f"http://{here}/to?http://{here}/there",
    )
    assert answers[0].startswith("403 pawl: 169.254.169.254:80 is not on the allowlist")
    assert answers[1] == "200 hello"


async def test_a_tunnel_carries_both_directions_and_ends_with_the_server(sandbox: Sandbox, server: Server) -> None:
    script = f"""
import socket
s = socket.create_connection(("127.0.0.1", 3128))
s.sendall(b"CONNECT 127.0.0.1:{server.port} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
assert s.recv(1000).startswith(b"HTTP/1.1 200 ")
s.sendall(b"GET /tunnelled HTTP/1.1\\r\\nHost: anything\\r\\n\\r\\n")
data = b""
while more := s.recv(1000): data += more
print(data.decode().splitlines()[-1])
"""
    ref = await let_out(sandbox, f"127.0.0.1:{server.port}")
    view = await ran(sandbox, ref, "tunnel", Command(argv=(PYTHON, "-I", "-S", "-c", script)))
    assert (view.out, view.err) == (b"hello\n", b"")
    assert server.heads[0].startswith("GET /tunnelled ")


async def test_another_name_inside_a_tunnel_is_refused_and_written_down(
    sandbox: Sandbox, server: Server, tmp_path: Path
) -> None:
    script = f"""
import socket
s = socket.create_connection(("127.0.0.1", 3128))
s.sendall(b"CONNECT localhost:{server.port} HTTP/1.1\\r\\n\\r\\n")
assert s.recv(1000).startswith(b"HTTP/1.1 200 ")
s.sendall({hello("evil.example")!r})
print(s.recv(1000) == {NO_SUCH_NAME!r})
"""
    ref = await let_out(sandbox, f"localhost:{server.port}", f"127.0.0.1:{server.port}")
    view = await ran(sandbox, ref, "front", Command(argv=(PYTHON, "-I", "-S", "-c", script)))
    assert (view.out, view.err) == (b"True\n", b"")
    assert server.heads == []
    [refused] = [decision for decision in decisions(tmp_path, "front") if decision.get("allowed") is False]
    assert (refused["verb"], refused["host"]) == ("TLS", "localhost")
    assert str(refused["why"]).startswith(f"evil.example:{server.port}, announced to localhost, is not on the allow")


async def test_there_is_no_way_around_the_proxy(sandbox: Sandbox, server: Server) -> None:
    script = f"""
import socket
for kind, family, where in (
    ("tcp", socket.AF_INET, ("127.0.0.1", {server.port})), ("tcp6", socket.AF_INET6, ("::1", {server.port})),
    ("public", socket.AF_INET, ("8.8.8.8", 53)), ("metadata", socket.AF_INET, ("169.254.169.254", 80)),
):
    try:
        socket.socket(family, socket.SOCK_STREAM).connect(where); print("reached", kind)
    except OSError as error: print(kind, "refused")
try:
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.sendto(b"x", ("8.8.8.8", 53)); print("reached udp")
except OSError: print("udp refused")
try: socket.getaddrinfo("example.org", 80); print("reached dns")
except OSError: print("dns refused")
print([name for _, name in socket.if_nameindex()])
"""
    ref = await let_out(sandbox, f"127.0.0.1:{server.port}")
    view = await ran(sandbox, ref, "around", Command(argv=(PYTHON, "-I", "-S", "-c", script)))
    said = view.out.decode().splitlines()
    assert said == [*(f"{k} refused" for k in ("tcp", "tcp6", "public", "metadata", "udp", "dns")), "['lo']"], view


async def test_nonsense_is_refused_and_the_proxy_lives_on(sandbox: Sandbox, server: Server, tmp_path: Path) -> None:
    script = """
import socket, sys
end = b"\\r\\n"
lines = [b"", b"\\0", b"GET / HTTP/1.1", b"GET http:// HTTP/1.1", b"CONNECT x HTTP/1.1", b"CONNECT x:99999 HTTP/1.1",
    b"GET http://[ HTTP/1.1", b"GET http://a@b/ HTTP/1.1", b"GET ftp://b/ HTTP/1.1", b"SSH-2.0-x",
    b"GET http://b/ HTTP/1.1" + end + b" x", b"GET http://b/ HTTP/1.1" + end + b"a: " + b"x" * 70000]
for line in lines:
    s = socket.create_connection(("127.0.0.1", 3128)); s.sendall(line + end + end)
    try: print(s.recv(100).split(b"\\r\\n")[0].decode())
    except ConnectionResetError: print("HTTP/1.1 400 Bad Request")
idle = [socket.create_connection(("127.0.0.1", 3128)) for _ in range(100)]
"""
    ref = await let_out(sandbox, f"127.0.0.1:{server.port}")
    view = await ran(sandbox, ref, "nonsense", Command(argv=(PYTHON, "-I", "-S", "-c", f"{script}\n{CLIENT}")))
    assert set(view.out.decode().splitlines()) == {"HTTP/1.1 400 Bad Request"}, view
    refused = decisions(tmp_path, "nonsense")
    assert sum({decision["n"]: int(str(decision.get("times", 1))) for decision in refused}.values()) == 12
    assert all(decision["why"] and decision["allowed"] is False for decision in refused if "at" in decision)
    again = f"{script}\nsys.argv = ['-', 'http://127.0.0.1:{server.port}/']\n{CLIENT}"
    view = await ran(sandbox, ref, "again", Command(argv=(PYTHON, "-I", "-S", "-c", again)))
    assert view.out.decode().splitlines()[-1] == "200 hello"


async def test_each_job_has_a_proxy_of_its_own_that_ends_with_it(sandbox: Sandbox, server: Server, mark: str) -> None:
    here = f"127.0.0.1:{server.port}"
    ref = await let_out(sandbox, here, f"a{mark}.example:443")
    await sandbox.start(ref, "long", shell(f"sleep {mark}"))
    other = await let_out(sandbox, here, key="other")
    assert await fetched(sandbox, other, f"http://{here}/", job="beside") == ["200 hello"]
    await until(lambda: bool(host_processes(f"a{mark}.example")))
    await sandbox.kill(ref, "long")
    await until(lambda: not host_processes(mark))


async def test_without_an_allowlist_there_is_no_proxy(sandbox: Sandbox, ref: SandboxRef, tmp_path: Path) -> None:
    view: JobView = await ran(sandbox, ref, "none", "env | grep -i proxy; echo none")
    assert view.out == b"none\n"
    assert not list((tmp_path / "sandboxes").glob("*/jobs/*/egress"))


async def test_a_rule_that_is_none_is_refused_before_anything_runs(sandbox: Sandbox) -> None:
    with pytest.raises(BadSpec, match=r"'https://pypi\.org' is a URL"):
        await let_out(sandbox, "pypi.org", "https://pypi.org")
