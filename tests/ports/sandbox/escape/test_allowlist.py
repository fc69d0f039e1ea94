"""Getting past the allowlist: odd requests, odd hosts, odd servers, names that change."""

import ipaddress
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.ports.sandbox.escape.raw import tries
from tests.ports.sandbox.escape.web import ASK, Server, decisions, let_out, proxied, serving
from workflows.domain.egress import Address
from workflows.ports.sandbox import Sandbox

pytestmark = pytest.mark.sandbox

HOSTS = [
    b"127.0.0.1",
    b"localhost",
    b"127.0.0.1\x00.example.org",
    b"127.0.0.2\x00.example.org",
    b"localhost\x00.example.org",
    b"localhost\x00good.example",
    b"127.0.0.1%00.example.org",
    b"localhost#.example.org",
    b"localhost/.example.org",
    b"localhost?.example.org",
    b"localhost\\.example.org",
    b"user@localhost",
    b"good.example@localhost",
    b"localhost:80:good.example",
    b".example.org",
    b"..example.org",
    b"example.org",
    b"xexample.org",
    b"good.example.",
    b"good.example..",
    b"good.example.localhost",
    b"localhost.good.example",
    b"::ffff:127.0.0.1%.example.org",
    b"[::1%.example.org]",
    b"[::1%25.example.org]",
    b"::1%lo.example.org",
    b"[::1].example.org",
    b"0",
    b"127.1",
    b"0x7f000001",
    b"0177.0.0.1",
    b"2130706433",
    b"127.0.0.01",
    b"127.0.0.2.",
    b"127.000.000.001",
    b"[::1]",
    b"[::ffff:127.0.0.1]",
    b"[::ffff:7f00:1]",
    b"[::127.0.0.1]",
    b"[0:0:0:0:0:ffff:7f00:0001]",
    b"[::]",
    b"[fe80::1%lo]",
    b"[64:ff9b::7f00:1]",
    b"[2002:7f00:1::]",
    b"\xd9\xa1\xd9\xa2\xd9\xa7.0.0.1",
    b"127\xe3\x80\x820\xe3\x80\x820\xe3\x80\x821",
    b"\xef\xbd\x8cocalhost",
    b"loc\xadalhost",
    b"LOCALHOST",
    b"localhost\t",
    b"\xe2\x84\xaa.example.org",
    b"a" * 7_000 + b".example.org",
]
"""Hosts that are none the rules below name, whoever reads them."""
PORTS = [
    b"0",
    b"-1",
    b"+80",
    b"80x",
    b"65536",
    b"65616",
    b"99999999999",
    b"0" * 5_000 + b"80",
    b"0x50",
    b" 80",
    b"",
    b"\xd9\xa1",
]
LINES = [
    b"GET http://OTHER/a",
    b"CONNECT OTHER",
    b"GET http://OTHER/@HERE",
    b"GET http://HERE@OTHER/",
    b"GET http://OTHER#@HERE/",
    b"GET http://OTHER\\@HERE/",
    b"GET //OTHER/",
    b"GET OTHER/",
    b"GET https://HERE/",
    b"GET /a",
    b"GET *",
    b"TRACE http://OTHER/",
    b"GET http:OTHER/",
    b"GET http:///OTHER",
]
"""Requests for another server, with the allowed one somewhere in them."""
LENGTHS = [
    b"Content-Length: 0\r\nContent-Length: 9",
    b"Content-Length: 9\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Content-Length: 0",
    b"Expect: 100-continue",
    b"Connection: keep-alive",
]
"""Headers that two servers read as different ends of a request."""


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    async with serving() as server:
        yield server


async def test_hosts_that_only_look_allowed(sandbox: Sandbox, server: Server, tmp_path: Path) -> None:
    """Two readers of one name may differ in what it says: the rules, the resolver, the C library."""
    ref = await let_out(
        sandbox, f"*.example.org:{server.port}", f"127.0.0.2:{server.port}", f"good.example:{server.port}"
    )
    await tries(
        sandbox,
        ref,
        ASK
        + f"""
for host in {HOSTS!r}:
    for start, end in ((b"CONNECT ", b""), (b"GET http://", b"/")):
        got = status(request := start + host + b":{server.port}" + end + b" HTTP/1.1" + END)
        if got not in (400, 403, 502): print("succeeded:", got, request[:100])
        tried += 1
for digits in {PORTS!r}:
    got = status(b"CONNECT 127.0.0.2:" + digits + b" HTTP/1.1" + END)
    if got not in (400, 403): print("succeeded:", got, digits[:20])
    tried += 1
""",
    )
    assert server.heard == []
    for decision in (line for line in decisions(tmp_path) if "allowed" in line):
        assert decision["allowed"] is False or decision["host"] in ("good.example.", "localhost.good.example"), decision


async def test_who_is_told_to_the_server_is_not_who_is_asked_for(sandbox: Sandbox, server: Server) -> None:
    """The request line decides; other words about the host neither open anything nor reach the server."""
    here = f"127.0.0.1:{server.port}"
    ref = await let_out(sandbox, here)
    async with serving() as other:
        await tries(
            sandbox,
            ref,
            ASK
            + f"""
here, other = b"{here}", b"127.0.0.1:{other.port}"
for line in {LINES!r}:
    line = line.replace(b"OTHER", other).replace(b"HERE", here)
    got = status(line + b" HTTP/1.1\\r\\nHost: " + here + b"\\r\\nX-Forwarded-Host: " + here + END)
    if got not in (400, 403): print("succeeded:", got, line)
    tried += 1
got, said = asked(
    b"GET http://" + here + b"/asked HTTP/1.1\\r\\nHost: " + other + b"\\r\\nHost: b\\r\\n"
    b"Proxy-Authorization: secret\\r\\nConnection: keep-alive, X\\r\\nUpgrade: websocket" + END)
if got != 200: print("succeeded: not asked", got, said)
for odd in (b"X\\n: b", b"a: b\\nHost: c", b" folded: b", b"a : b", b"\\0: b", b"a: b\\0c", b"no colon", b": empty"):
    got = status(b"GET http://" + here + b"/odd HTTP/1.1\\r\\n" + odd + END)
    if got != 400: print("succeeded:", got, odd)
""",
        )
        assert other.heard == []
    [head] = server.heard
    assert head.startswith(f"GET /asked HTTP/1.1\r\nHost: {here}\r\n".encode())
    assert head.lower().count(b"host:") == 1
    assert b"secret" not in head
    assert b"upgrade" not in head.lower()


async def test_what_is_smuggled_behind_a_request_reaches_only_the_same_server(
    sandbox: Sandbox, server: Server, tmp_path: Path
) -> None:
    """Two lengths, a length and chunks, a request in the body and one after the end: a connection is one decision."""
    here = f"127.0.0.1:{server.port}"
    ref = await let_out(sandbox, here)
    async with serving() as other:
        await tries(
            sandbox,
            ref,
            ASK
            + f"""
here, other = b"{here}", b"127.0.0.1:{other.port}"
second = b"GET http://" + other + b"/smuggled HTTP/1.1\\r\\nHost: " + other + END
for headers in {LENGTHS!r}:
    first = b"POST http://" + here + b"/first HTTP/1.1\\r\\n" + headers + END
    got, said = asked(first + b"0" + END + second + b"CONNECT " + other + b" HTTP/1.1" + END)
    if said.count(b"HTTP/1.1 ") != 1: print("succeeded: two answers", said)
    tried += 1
s = socket.create_connection(("127.0.0.1", 3128))
s.sendall(b"CONNECT " + here + b" HTTP/1.1" + END + second)
""",
        )
        assert other.heard == []
    assert all(head.startswith((b"POST /first ", b"GET http://")) for head in server.heard)
    assert {(decision["host"], decision["port"]) for decision in decisions(tmp_path) if "host" in decision} == {
        ("127.0.0.1", server.port)
    }


async def test_an_allowed_server_sends_nobody_elsewhere(sandbox: Sandbox, server: Server) -> None:
    here = f"127.0.0.1:{server.port}"
    ref = await let_out(sandbox, here)
    async with serving() as other:
        places = [
            "http://169.254.169.254/latest/meta-data/",
            "http://[fd00:ec2::254]/latest/meta-data/",
            "http://metadata.google.internal/computeMetadata/v1/",
            f"http://127.0.0.1:{other.port}/",
            f"http://localhost:{other.port}/",
            f"http://0:{other.port}/",
            f"http://[::1]:{other.port}/",
            f"http://[::ffff:127.0.0.1]:{other.port}/",
            f"//127.0.0.1:{other.port}/",
            f"http://{here}@127.0.0.1:{other.port}/",
            f"http://{here}:80@127.0.0.1:{other.port}/",
        ]
        await tries(
            sandbox,
            ref,
            f"""
import urllib.request
for place in {places!r}:
    attempt("redirect to " + place, lambda: urllib.request.urlopen("http://{here}/to?" + place, timeout=20).read())
""",
        )
        assert other.heard == []
    assert len(server.heard) == len(places)


async def test_a_name_that_changes_its_address_is_dialled_where_it_was_checked() -> None:
    """Rebinding: the first answer passes the check, the second is this machine, or a metadata service."""
    asked: list[str] = []

    async def rebound(host: str, port: int) -> list[Address]:
        asked.append(host)
        answers = ["127.0.0.2", "127.0.0.1", "169.254.169.254"]
        return [ipaddress.ip_address(answers[min(len(asked), 3) - 1])]

    async with serving("127.0.0.2") as checked, serving("127.0.0.1", checked.port) as forbidden:
        rules = ["rebound.example:" + str(checked.port), f"127.0.0.2:{checked.port}"]
        async with proxied(rules, rebound) as ask:
            first = await ask(f"GET http://rebound.example:{checked.port}/ HTTP/1.1\r\n\r\n")
            assert first.startswith(b"HTTP/1.1 200")
            assert asked == ["rebound.example"]
            for _ in range(2):
                later = await ask(f"CONNECT rebound.example:{checked.port} HTTP/1.1\r\n\r\n")
                assert later.startswith(b"HTTP/1.1 403")
        assert (len(checked.heard), forbidden.heard) == (1, [])


async def test_of_several_addresses_only_those_that_may_be_dialled_are() -> None:
    async def mixed(host: str, port: int) -> list[Address]:
        spelled = ("127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "127.0.0.2")
        return [ipaddress.ip_address(address) for address in spelled]

    async with serving("127.0.0.2") as checked, serving("127.0.0.1", checked.port) as forbidden:
        async with proxied([f"mixed.example:{checked.port}", f"127.0.0.2:{checked.port}"], mixed) as ask:
            assert (await ask(f"GET http://mixed.example:{checked.port}/ HTTP/1.1\r\n\r\n")).endswith(b"hello")
        assert (len(checked.heard), forbidden.heard) == (1, [])


async def test_names_that_are_not_allowed_are_not_even_looked_up() -> None:
    """A look-up tells the name to whoever serves it, which is a way out for a secret."""
    asked: list[str] = []

    async def overheard(host: str, port: int) -> list[Address]:
        asked.append(host)
        return []

    async with proxied(["*.example.org", "pypi.org:8443"], overheard) as ask:
        for host in ("secret.evil.net", "secret.pypi.org", "pypi.org", "example.org", "secret.evil.net\0.example.org"):
            for request in (f"CONNECT {host}:443 HTTP/1.1\r\n\r\n", f"GET http://{host}/ HTTP/1.1\r\n\r\n"):
                assert (await ask(request)).split()[1] in (b"400", b"403")
        assert asked == []
        await ask("CONNECT a.example.org:443 HTTP/1.1\r\n\r\n")
        assert asked == ["a.example.org"]
