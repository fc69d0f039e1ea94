"""What a client says behind the head of a request: the server hears what was announced, and nothing after it."""

import socket
from collections.abc import AsyncGenerator

import pytest

from tests.ports.sandbox.escape.web import Ear, hearing, proxied
from workflows.domain.egress import Address

SECOND = "GET /second HTTP/1.1\r\nHost: evil.internal\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture
async def server() -> AsyncGenerator[Ear]:
    async with hearing() as server:
        yield server


async def nobody(host: str, port: int) -> list[Address]:
    raise socket.gaierror(host)


async def answered(server: Ear, request: str) -> bytes:
    here = f"127.0.0.1:{server.port}"
    async with proxied([here], nobody) as ask:
        return await ask(request.replace("HERE", here))


@pytest.mark.parametrize(
    ("header", "behind", "heard"),
    [
        ("A: b", "", b""),
        ("Content-Length: 5", "hello", b"hello"),
        ("Content-Length: 0", "", b""),
        (CHUNKED, "5;x=y\r\nhello\r\n00\r\nTrailer: a\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding:Chunked", "A\r\n0123456789\r\n0\r\n\r\n", b"a\r\n0123456789\r\n0\r\n\r\n"),
        # ends that others may read otherwise: nothing more is said
        (CHUNKED, "5\r\nhelloXX", b"5\r\nhello"),
        (CHUNKED, "5\nhello\n0\n\n", b""),
        (CHUNKED, "-5\r\nhello\r\n0\r\n\r\n", b""),
        (CHUNKED, "0x5\r\nhello\r\n0\r\n\r\n", b""),
        (CHUNKED, "5 5\r\nhello\r\n0\r\n\r\n", b""),
        (CHUNKED, "\r\n\r\n", b""),
        (CHUNKED, "F" * 16 + "\r\nhello\r\n", b""),
        (CHUNKED, "5;" + "x" * 200_000, b""),
        (CHUNKED, "0\r\n" + "a: b\r\n" * 20_000 + "\r\n", b""),
    ],
)
async def test_a_server_hears_one_request(server: Ear, header: str, behind: str, heard: bytes) -> None:
    answer = await answered(server, f"POST http://HERE/first HTTP/1.1\r\n{header}\r\n\r\n{behind}{SECOND}")
    assert answer.count(b"HTTP/1.1 ") == 1
    head, _, body = server.heard.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /first ")
    assert body == heard


@pytest.mark.parametrize(
    "headers",
    [
        f"{CHUNKED}\r\nContent-Length: 5",
        f"Content-Length: 5\r\n{CHUNKED}",
        "Content-Length: 5\r\ncontent-length: 5",
        f"{CHUNKED}\r\n{CHUNKED}",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 5_0",
        "Content-Length: \u0665",
        "Content-Length:",
        "Content-Length: " + "9" * 19,
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding:",
    ],
)
async def test_a_head_with_two_ends_is_none(server: Ear, headers: str) -> None:
    answer = await answered(server, f"POST http://HERE/ HTTP/1.1\r\n{headers}\r\n\r\n0\r\n\r\n{SECOND}")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert server.heard == b""


async def test_a_body_larger_than_any_buffer_arrives_whole(server: Ear) -> None:
    body = "0123456789" * 100_000
    await answered(server, f"POST http://HERE/ HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}{SECOND}")
    assert server.heard.endswith(b"\r\n\r\n" + body.encode())
