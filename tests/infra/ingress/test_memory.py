"""What a door remembers, and what it does when Temporal is slow."""

import asyncio
import logging

import pytest

from infra.exits import OutOfReach
from infra.ingress.memory import Away, Memory


class Taking:
    """Something that takes until it is let go, and may fail."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.times = 0
        self.error: Exception | None = None

    async def __call__(self) -> None:
        self.times += 1
        await self.go.wait()
        if self.error is not None:
            raise self.error


@pytest.fixture
def taking() -> Taking:
    return Taking()


async def test_a_delivery_is_taken_once(taking: Taking) -> None:
    memory = Memory()
    taking.go.set()
    assert [await memory.once("a", taking, 1) for _ in range(3)] == [True, False, False]
    assert await memory.once("b", taking, 1)
    assert taking.times == 2


async def test_two_at_once_wait_for_the_same_taking(taking: Taking) -> None:
    memory = Memory()
    both = [asyncio.create_task(memory.once("a", taking, 5)) for _ in range(2)]
    await asyncio.sleep(0)
    taking.go.set()
    assert sorted(await asyncio.gather(*both)) == [False, True]
    assert taking.times == 1


async def test_what_takes_too_long_goes_on_and_is_found_taken_by_the_next_try(taking: Taking) -> None:
    memory = Memory()
    with pytest.raises(Away):
        await memory.once("a", taking, 0.01)
    taking.go.set()
    assert not await memory.once("a", taking, 1)
    assert taking.times == 1


async def test_what_was_not_taken_is_not_remembered(taking: Taking) -> None:
    memory = Memory()
    taking.go.set()
    taking.error = OutOfReach("Temporal is away.")
    with pytest.raises(Away):
        await memory.once("a", taking, 1)
    taking.error = None
    assert await memory.once("a", taking, 1)


async def test_a_bug_is_told_to_the_log_without_what_was_delivered(
    taking: Taking, caplog: pytest.LogCaptureFixture
) -> None:
    memory = Memory()
    taking.go.set()
    taking.error = KeyError("the customer's password")
    with caplog.at_level(logging.INFO), pytest.raises(Away):
        await memory.once("a", taking, 1)
    assert "KeyError" in caplog.text
    assert "test_memory.py" in caplog.text
    assert "password" not in caplog.text


async def test_too_many_at_once_are_told_to_come_again(taking: Taking) -> None:
    memory = Memory(at_once=2)
    waiting = [asyncio.create_task(memory.once(name, taking, 5)) for name in "ab"]
    await asyncio.sleep(0)
    with pytest.raises(Away, match="Too many"):
        await memory.once("c", taking, 5)
    taking.go.set()
    assert await asyncio.gather(*waiting) == [True, True]
    assert await memory.once("c", taking, 5)


async def test_thousands_of_deliveries_leave_a_bounded_memory(taking: Taking) -> None:
    memory = Memory(most=100)
    taking.go.set()
    for number in range(5_000):
        await memory.once(str(number), taking, 1)
    assert len(memory) == 100
    assert not await memory.once("4999", taking, 1)
    assert await memory.once("0", taking, 1)  # forgotten, and taken again without harm


async def test_a_process_that_ends_waits_for_what_was_begun(taking: Taking) -> None:
    memory = Memory()
    with pytest.raises(Away):
        await memory.once("a", taking, 0.01)
    asyncio.get_running_loop().call_later(0.05, taking.go.set)
    await memory.drain(5)
    assert not await memory.once("a", taking, 0)
