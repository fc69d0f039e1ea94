"""A tunnel to an allowed server that asks it for another one: the name TLS announces is under the rules, too."""

import ipaddress
import struct
from collections.abc import AsyncGenerator

import pytest

from activities.sandbox.egress.hello import NO_SUCH_NAME
from tests.ports.sandbox.escape.web import Ear, hearing, hello, proxied
from workflows.domain.egress import Address


@pytest.fixture
async def server() -> AsyncGenerator[Ear]:
    async with hearing() as server:
        yield server


async def here(host: str, port: int) -> list[Address]:
    return [ipaddress.ip_address("127.0.0.1")]


def records(message: bytes, size: int) -> bytes:
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + struct.pack(">H", len(piece)) + piece for piece in pieces)


async def tunnelled(server: Ear, data: bytes, to: str = "front.example") -> bytes:
    """What comes back after the tunnel stands."""
    names = ("front.example", "*.other.example")
    rules = [*(f"{name}:{server.port}" for name in names), f"127.0.0.1:{server.port}"]
    async with proxied(rules, here) as ask:
        answer = await ask(f"CONNECT {to}:{server.port} HTTP/1.1\r\n\r\n".encode() + data)
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return rest


THE_SAME, ANOTHER, NONE = hello("front.example"), hello("evil.example"), hello(None)


@pytest.mark.parametrize(
    "data",
    [
        THE_SAME,
        THE_SAME + b"\x17\x03\x03\x00\x02ab",  # early data
        hello("FRONT.example"),
        hello("a.other.example"),
        records(THE_SAME[5:], 1),
        records(THE_SAME[5:], 100),
        NONE,
        b"SSH-2.0-x\r\n",
        b"x",
    ],
)
async def test_a_name_that_is_allowed_arrives_as_it_was_said(server: Ear, data: bytes) -> None:
    assert (await tunnelled(server, data)).endswith(b"hello")
    assert server.heard == data


TWO_NAMES = THE_SAME[5:].replace(b"\0\0\0\x12\0\x10\0\0\x0dfront.example", b"\0\0\0\x12\0\x10\0\0\4evil\0\0\6.examp", 1)


@pytest.mark.parametrize(
    "data",
    [
        ANOTHER,
        records(ANOTHER[5:], 1),
        records(ANOTHER[5:], 7),
        hello("xfront.example"),
        hello("front.example.evil.net"),
        hello("other.example"),
        records(TWO_NAMES, 16_384),
        # nobody knows what another reader makes of these
        b"\x16\x03\x01\x00\x00" + ANOTHER,
        b"\x16\x03\x01\x40\x01" + bytes(20_000),
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
        ANOTHER[:5] + ANOTHER[5:6] + b"\0\0\x26" + ANOTHER[9:],
        records(b"\x01\xff\xff\xff" + bytes(80_000), 16_000),
        records(ANOTHER[5:], 50)[:55] + b"\x17" + records(ANOTHER[5:], 50)[56:],
    ],
)
async def test_another_name_is_refused_before_the_server_hears_it(server: Ear, data: bytes) -> None:
    assert await tunnelled(server, data) == NO_SUCH_NAME
    assert server.heard == b""


async def test_an_address_that_a_rule_spells_out_may_be_told_any_name(server: Ear) -> None:
    assert (await tunnelled(server, ANOTHER, to="127.0.0.1")).endswith(b"hello")
    assert server.heard == ANOTHER
