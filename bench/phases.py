"""What is measured, one function per question."""

import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise

from bench.drive import Driven, Driver, crowd
from bench.machine import Machine
from bench.results import History, Kills, Parked, Throughput
from infra.parts import Part
from workflows import names
from workflows.domain.ticket import Phase
from workflows.ports.journal import EntryKind

_SETTLE_SECONDS = 5.0
_KILL_EVERY_SECONDS = 12.0
_MOST_STALL_SECONDS = 60.0
_PARKING_AT_ONCE = 40


async def throughput(driver: Driver, count: int, at_once: int) -> Throughput:
    """Tickets per second, and what each costs in CPU and in bytes kept."""
    machine = driver.machine
    await driver.many(at_once, at_once)  # imports, caches, connections
    stored, cpu, begun = machine.stored(), machine.cpu(), time.monotonic()
    tickets = await driver.many(count, at_once)
    seconds = time.monotonic() - begun
    spent = {part: now.since(cpu[part]) for part, now in machine.cpu().items()}
    await asyncio.sleep(1)  # closed sandboxes are being removed
    kept = {name: (size - stored[name]) / count / 1000 for name, size in machine.stored().items()}
    return Throughput(
        tickets=count,
        at_once=at_once,
        per_second=count / seconds,
        worker_cpu_ms=spent[Part.WORKER].own / count * 1000,
        worker_children_cpu_ms=spent[Part.WORKER].children / count * 1000,
        server_cpu_ms=spent[Part.SERVER].own / count * 1000,
        gateway_cpu_ms=spent[Part.GATEWAY].own / count * 1000,
        stored_kb={name: round(size, 1) for name, size in kept.items()},
        calls_bought_twice=bought_twice(tickets),
        not_done=not_done(tickets),
    )


async def history(driver: Driver, turns: int) -> History:
    """One ticket alone: what Temporal keeps of it and of its sessions, and the time from turn to turn."""
    machine = driver.machine
    driven = await driver.ticket()
    events, size = await _history_of(machine, driven.handle.id)
    sessions = {event.entry.session for event in machine.journal.events(driven.account, [EntryKind.PROMPT])}
    builder = next(session for session in sessions if session.endswith(".builder1"))
    builder_size = 0
    for session in sessions:
        more_events, more = await _history_of(machine, names.session_workflow_id(session))
        events, size = events + more_events, size + more
        builder_size = more if session == builder else builder_size
    turned = [entry for entry in machine.journal.entries(builder, first=1) if entry.kind is EntryKind.TURN]
    ends = [entry.at for entry in turned if entry.at]
    waits = [(later - earlier).total_seconds() * 1000 for earlier, later in pairwise(ends)]
    return History(
        turns=turns,
        events=events,
        kb=size / 1000,
        builder_bytes_per_turn=builder_size / len(ends),
        ms_per_turn_p50=statistics.median(waits),
        ms_per_turn_mean=statistics.mean(waits),
    )


async def kills(driver: Driver, times: int, at_once: int) -> Kills:
    """Kill the worker while tickets are under way; how long until any of them, and each of them, moves again."""
    stalls: list[float] = []
    firsts: list[float] = []
    killing = True

    async def kill() -> None:
        nonlocal killing
        for _ in range(times):
            await asyncio.sleep(_KILL_EVERY_SECONDS)
            stalled = await _kill_once(driver)
            stalls.extend(stalled)
            firsts.append(min(stalled))
        killing = False

    task = asyncio.create_task(kill())
    tickets = await crowd(driver.ticket, at_once, lambda: killing)
    await task
    return Kills(
        kills=times,
        at_once=at_once,
        first_p50=statistics.median(firsts),
        first_max=max(firsts),
        ticket_p50=statistics.median(stalls),
        ticket_max=max(stalls),
        tickets=len(tickets),
        calls_bought_twice=bought_twice(tickets),
        not_done=not_done(tickets),
    )


async def parked(driver: Driver, counts: list[int], deadline: float) -> list[Parked]:
    """Resident memory and idle CPU with so many tickets waiting at the plan gate. Stops growing at the deadline (of
    time.monotonic) and says how many there were."""
    reports = [await _waiting(driver, 0)]
    for count in counts:
        left = iter(range(count - reports[-1].tickets))
        more = partial(_may_go_on, left, deadline)
        new = await crowd(driver.parked, _PARKING_AT_ONCE, more)
        reports.append(await _waiting(driver, reports[-1].tickets + len(new)))
    return reports


def bought_twice(tickets: list[Driven]) -> int:
    return sum(ticket.outcome.bill.calls_bought_twice for ticket in tickets if ticket.outcome)


def not_done(tickets: Sequence[Driven]) -> int:
    return sum(ticket.outcome is None or ticket.outcome.phase is not Phase.DONE for ticket in tickets)


async def _history_of(machine: Machine, workflow_id: str) -> tuple[int, int]:
    """Events and bytes of a workflow's history, as the server counts them."""
    described = await machine.client.get_workflow_handle(workflow_id).describe()
    info = described.raw_description.workflow_execution_info
    return info.history_length, info.history_size_bytes


async def _kill_once(driver: Driver) -> list[float]:
    """Seconds from the kill to the next thing done for each ticket that was in flight: a journal entry, or its end."""
    machine = driver.machine
    in_flight = list(driver.under_way.values())
    killed = datetime.now(UTC)
    machine.kill_worker()
    moved: dict[str, float] = {}
    while len(moved) < len(in_flight) and (datetime.now(UTC) - killed).total_seconds() < _MOST_STALL_SECONDS:
        await asyncio.sleep(0.1)
        for ticket in in_flight:
            if ticket.account not in moved and (at := await asyncio.to_thread(_moved, machine, ticket, killed)):
                moved[ticket.account] = at - killed.timestamp()
    return [moved.get(ticket.account, _MOST_STALL_SECONDS) for ticket in in_flight]


def _moved(machine: Machine, ticket: Driven, since: datetime) -> float | None:
    """When the ticket first moved after that moment, in seconds since the epoch."""
    entries = (event.entry.at for event in machine.journal.events(ticket.account))
    first = next((at.timestamp() for at in entries if at and at > since), None)
    return first or ticket.ended or None


def _may_go_on(left: Iterator[int], deadline: float) -> bool:
    return time.monotonic() < deadline and next(left, None) is not None


async def _waiting(driver: Driver, tickets: int) -> Parked:
    """What so many waiting tickets cost, measured over some seconds in which nothing happens."""
    await asyncio.sleep(_SETTLE_SECONDS)
    before = driver.machine.cpu()
    await asyncio.sleep(_SETTLE_SECONDS)
    busy = {part: now.since(before[part]).own / _SETTLE_SECONDS for part, now in driver.machine.cpu().items()}
    resident = driver.machine.resident_mb()
    return Parked(
        tickets=tickets,
        worker_mb=resident[Part.WORKER],
        server_mb=resident[Part.SERVER],
        gateway_mb=resident[Part.GATEWAY],
        worker_busy=busy[Part.WORKER],
        server_busy=busy[Part.SERVER],
    )
