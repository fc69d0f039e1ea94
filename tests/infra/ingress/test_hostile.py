"""What anybody on the internet may send: refused with the right status, never an error of ours, never kept."""

import asyncio
import gzip
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from infra.ingress.github import GitHubDoor
from infra.ingress.linear import LinearDoor
from infra.payloads import DATA_CONVERTER
from tests.infra.ingress import linear_words as words
from tests.infra.ingress.github_words import SECRET as GITHUB_SECRET
from tests.infra.ingress.github_words import signed as github_signed
from tests.infra.ingress.serving import github, linear, served

MIB = 1024 * 1024
NOTHING = words.delivery("Project", "update")
"""A genuine delivery that concerns no ticket, so that no Temporal server is needed."""


class Impatient(LinearDoor):
    seconds = 0.3


@pytest.fixture
async def http() -> AsyncGenerator[httpx.AsyncClient]:
    doors = [
        LinearDoor("linear", [words.SECRET]),
        GitHubDoor("github", [GITHUB_SECRET], login="pawl"),
        Impatient("impatient", [words.SECRET]),
    ]
    nowhere = await Client.connect("127.0.0.1:9", lazy=True, data_converter=DATA_CONVERTER)
    async with served(doors, nowhere) as client:
        yield client


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return b'{"webhookTimestamp":%f,"type":"Issue","action":"create","data":' % (time.time() * 1000) + (
        opening * depth + b"1" + closing * depth + b"}"
    )


async def test_a_genuine_delivery_passes(http: httpx.AsyncClient) -> None:
    """What the tests below change one thing of."""
    assert await linear(http, NOTHING) == 200
    assert await github(http, "ping", {"zen": "x"}) == 202


@pytest.mark.parametrize(
    "signature",
    ["", "0" * 64, "sha256=" + "0" * 64, "nonsense", "x" * 7_000],
)
async def test_bad_signatures(http: httpx.AsyncClient, signature: str) -> None:
    assert await linear(http, NOTHING, linear_signature=signature) == 401


async def test_an_upper_case_signature_is_not_the_vendors(http: httpx.AsyncClient) -> None:
    right = words.signed(NOTHING)[0]["linear-signature"]
    assert await linear(http, NOTHING, linear_signature=right.upper()) == 401


async def test_a_signature_beyond_ascii_is_wrong_and_no_error(http: httpx.AsyncClient) -> None:
    headers, body = words.signed(NOTHING)
    raw = {**{k.encode(): v.encode() for k, v in headers.items()}, b"linear-signature": "é".encode("latin-1") * 64}
    assert (await http.post("/hooks/linear", content=body, headers=list(raw.items()))).status_code == 401


async def test_a_second_signature_beside_the_right_one_is_no_help(http: httpx.AsyncClient) -> None:
    headers, body = words.signed(NOTHING)
    for place in (0, 1):
        twice = [*headers.items()]
        twice.insert(place and len(twice), ("linear-signature", "0" * 64))
        assert (await http.post("/hooks/linear", content=body, headers=twice)).status_code == 401


async def test_a_body_that_was_changed_is_not_the_signed_one(http: httpx.AsyncClient) -> None:
    headers, body = words.signed(NOTHING)
    for changed in (body.replace(b"org", b"0rg"), json.dumps(json.loads(body), indent=1).encode(), body + b" ", b""):
        assert (await http.post("/hooks/linear", content=changed, headers=headers)).status_code == 401


async def test_the_secret_of_one_door_opens_no_other(http: httpx.AsyncClient) -> None:
    headers, body = github_signed("ping", NOTHING)
    digest = headers["x-hub-signature-256"].removeprefix("sha256=")
    assert await linear(http, body, linear_signature=digest) == 401


@pytest.mark.parametrize(("hours", "status"), [(-7.9, 200), (-8.1, 401), (-10_000, 401), (0.01, 200), (0.1, 401)])
async def test_wrong_clocks(http: httpx.AsyncClient, hours: float, status: int) -> None:
    sent = {**NOTHING, "webhookTimestamp": (time.time() + hours * 3600) * 1000}
    assert await linear(http, sent) == status


async def test_a_replay_is_taken_without_a_second_look(http: httpx.AsyncClient) -> None:
    assert [await linear(http, NOTHING, "the same") for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"{]",
        b"\xff\xfe{}",
        b'{"webhookTimestamp": 1e999}',
        b'{"webhookTimestamp": ' + b"9" * 5_000 + b"}",
        b'{"type": "\\ud800"}',
        nested(100_000),
        nested(100_000, b'{"a":', b"}"),
        nested(100_000, closing=b""),
    ],
    ids=range(13),
)
async def test_bodies_that_are_no_delivery(http: httpx.AsyncClient, body: bytes) -> None:
    assert await linear(http, body) == 400
    assert await github(http, "issues", body) == 400


async def test_bytes_that_are_no_text_inside_a_text(http: httpx.AsyncClient) -> None:
    sent = json.dumps(words.comment_delivery("@pawl HERE")).encode().replace(b"HERE", b"\xff\xfe\x80")
    assert await linear(http, sent) == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_another_content_type_is_refused(http: httpx.AsyncClient, kind: str) -> None:
    assert await linear(http, NOTHING, content_type=kind) == 400


async def test_a_compressed_body_is_not_unpacked(http: httpx.AsyncClient) -> None:
    headers, body = words.signed(NOTHING)
    packed = {**headers, "content-encoding": "gzip"}
    assert (await http.post("/hooks/linear", content=gzip.compress(body), headers=packed)).status_code == 401


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
async def test_oversized_bodies_are_refused(http: httpx.AsyncClient, declared: bool) -> None:
    headers, _ = words.signed(NOTHING)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield b" " * MIB

    body: Any = b" " * (6 * MIB) if declared else chunks()
    try:
        status = (await http.post("/hooks/linear", content=body, headers=headers)).status_code
    except httpx.WriteError:  # the connection was closed before all was sent
        status = 413
    assert status == 413


async def test_a_body_of_just_the_most_is_read(http: httpx.AsyncClient) -> None:
    filler = json.dumps(NOTHING).encode()
    assert await linear(http, filler + b" " * (5 * MIB - len(filler))) == 200


async def test_a_slow_body_is_not_waited_for(http: httpx.AsyncClient) -> None:
    async def drops() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" "
            await asyncio.sleep(0.05)

    begun = time.monotonic()
    answer = await http.post("/hooks/impatient", content=drops(), headers=words.signed(NOTHING)[0])
    assert answer.status_code == 408
    assert time.monotonic() - begun < 3


async def test_a_sender_that_hangs_up_leaves_the_door_open(http: httpx.AsyncClient) -> None:
    host, port = http.base_url.host, http.base_url.port or 0
    for _ in range(150):  # more than are let in at once
        _, writer = await asyncio.open_connection(host, port)
        writer.write(b"POST /hooks/linear HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()
    await asyncio.sleep(0.1)
    assert await linear(http, NOTHING) == 200


async def test_only_so_many_bodies_are_on_their_way_at_once(http: httpx.AsyncClient) -> None:
    host, port = http.base_url.host, http.base_url.port or 0
    writers: list[asyncio.StreamWriter] = []
    for _ in range(100):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(b"POST /hooks/linear HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        await writer.drain()
        writers.append(writer)
    await asyncio.sleep(0.2)
    assert await linear(http, NOTHING) == 503
    for writer in writers:
        writer.close()
    await asyncio.sleep(0.2)
    assert await linear(http, NOTHING) == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/hooks/linear", 405),
        ("PUT", "/hooks/linear", 405),
        ("POST", "/hooks/nobody", 404),
        ("POST", "/hooks/linear/../github", 401),
        ("POST", "/", 404),
        ("GET", "/docs", 404),
        ("POST", "/healthz", 405),
    ],
)
async def test_other_ways_in(http: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    assert (await http.request(method, path)).status_code == status


async def test_no_secret_and_nothing_of_a_body_reaches_the_log(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "pawl.ingress")
    said = "the customer's password"
    await linear(http, words.comment_delivery(said))  # not said to Pawl
    await linear(http, words.comment_delivery(said, id=""))  # not readable
    await linear(http, words.issue_delivery(title=said), "d-2")  # no Temporal server is there
    await linear(http, NOTHING, linear_signature=words.SECRET)
    assert len(caplog.records) >= 4
    assert said not in caplog.text
    assert words.SECRET not in caplog.text


async def test_what_a_header_says_cannot_write_its_own_log_line(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "pawl.ingress")
    headers, body = github_signed("ping", {})
    raw = [*headers.items(), ("x-github-event", "\x9b31m")]
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in raw]
    assert (await http.post("/hooks/github", content=body, headers=encoded)).status_code == 202
    assert "\x9b" not in caplog.text
