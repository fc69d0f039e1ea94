"""What the proxy writes down stays small, whatever a command asks for, and leaves nothing out."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from activities.sandbox.egress.log import Full, Log

ROOM = 4_000
MB = 1 << 20


@pytest.fixture
def file() -> Iterator[int]:
    fd = os.memfd_create("log")
    yield fd
    os.close(fd)


def lines(file: int) -> list[dict[str, object]]:
    return [json.loads(line) for line in os.pread(file, 1 << 20, 0).splitlines()]


def test_the_same_refusal_is_written_once_with_how_often_it_came(file: int) -> None:
    log = Log(file, ROOM)
    for _ in range(123_456):
        log.refused(host="a.example", port=443, why="not named")
    log.refused(host="b.example", port=443, why="not named")
    log.close()
    first, *times, other, last = lines(file)
    assert (first["n"], first["host"], first["allowed"]) == (1, "a.example", False)
    assert times == [{"n": 1, "times": 10**power} for power in range(1, 6)]
    assert (other["n"], other["host"]) == (2, "b.example")
    assert last == {"n": 1, "times": 123_456}


def test_nothing_more_is_decided_when_the_room_is_used_up(file: int) -> None:
    log = Log(file, ROOM)
    open_before = log.allowed(host="allowed.example")
    with suppress(Full):
        for n in range(ROOM):
            log.refused(host=f"{n}.example", why="not named")
    with pytest.raises(Full):
        log.refused(host="another.example", why="not named")
    with pytest.raises(Full):
        log.allowed(host="allowed.example")
    log.refused(host="0.example", why="not named")  # is written down already
    open_before.went_out(7)
    log.close()
    assert lines(file)[-2]["sent"] == 7
    assert lines(file)[-1]["times"] == 2
    assert os.fstat(file).st_size < ROOM + 300


def test_large_transfers_are_written_down_on_the_way(file: int) -> None:
    log = Log(file, ROOM)
    traffic = log.allowed(host="allowed.example")
    for came in range(1, 1_001):
        traffic.came_in(MB)
        assert int(str(lines(file)[-1]["received"])) > came * MB // 2
    traffic.went_out(5)
    traffic.ended()
    assert (lines(file)[-1]["sent"], lines(file)[-1]["received"]) == (5, 1_000 * MB)
    assert all(line["open"] for line in lines(file)[1:-1])
    assert len(lines(file)) < 15
