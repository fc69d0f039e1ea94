"""One run: the sender, the ingress, the Temporal server, and a count of what arrived."""

import asyncio
import sys
import time
from collections import Counter
from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from bench.ingress.machine import IngressProcess, TemporalServer, temporal_server
from bench.ingress.plan import SECRET, Kind
from bench.ingress.results import Run, quantile
from bench.ingress.sender import Answered
from bench.process import cpu, resident_mb
from infra.exits import OutOfReach
from infra.stack import ROOT
from workflows.domain.model import Record

_SETTLED = 2.0
"""Seconds for the server's list of workflows to be complete."""
_READ_AT_ONCE = 20


class Size(Record):
    rate: float
    seconds: float
    away_seconds: float = 0.0
    """How long the Temporal server is gone, from the middle on."""

    @property
    def name(self) -> str:
        without = f", Temporal gone for {self.away_seconds:g} s" if self.away_seconds else ""
        return f"{self.rate:g}/s for {self.seconds:g} s{without}"


class Arrived(Record):
    """What Temporal has."""

    runs: dict[str, int]
    """Workflows by the issue they are of."""
    signals: dict[str, int]
    """By the issue and the id of what was told, joined by a space."""


async def measured(home: Path, size: Size) -> Run:
    async with temporal_server(home) as server:
        ingress = IngressProcess(home, server.address, SECRET)
        try:
            url = await ingress.start()
            before = cpu(ingress.pid)
            answered, back = await _sent(home, url, size, server)
            used, memory = cpu(ingress.pid).since(before), resident_mb(ingress.pid)
        finally:
            ingress.stop()
        await asyncio.sleep(_SETTLED)
        arrived = await _arrived(await server.client())
    tries = sum(len(one.statuses) for one in answered)
    first = [one.ms[0] for one in answered]
    given_up = sum(not one.taken_at for one in answered)
    return Run(
        name=size.name,
        rate=size.rate,
        seconds=size.seconds,
        deliveries=len(answered),
        again=sum(one.again for one in answered),
        p50_ms=quantile(first, 0.5),
        p99_ms=quantile(first, 0.99),
        max_ms=quantile(first, 1),
        tries=tries,
        refused=sum(status != 200 for one in answered for status in one.statuses),
        tickets=len(arrived.runs),
        signals=len(arrived.signals),
        given_up=given_up,
        lost=given_up + missing(answered, arrived),
        duplicated=sum(count - 1 for count in arrived.runs.values()),
        told_twice=sum(count - 1 for count in arrived.signals.values()),
        away_seconds=size.away_seconds,
        caught_up_seconds=max([0.0, *(one.taken_at - back for one in answered if one.due < back)]) if back else 0.0,
        cpu_ms=used.own / tries * 1000,
        resident_mb=memory,
    )


async def _sent(home: Path, url: str, size: Size, server: TemporalServer) -> tuple[list[Answered], float]:
    """What was sent, and after how many seconds the server was back; 0 where it was never away."""
    out, back = home / "sent.jsonl", 0.0
    words = [url, str(size.rate), str(size.seconds), home.name, str(out)]
    sender = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.ingress.sender", *words, cwd=ROOT)
    begun = time.monotonic()
    try:
        if size.away_seconds:
            await asyncio.sleep(size.seconds / 2)
            server.stop()
            await asyncio.sleep(size.away_seconds)
            await server.start()
            back = time.monotonic() - begun
        if await sender.wait():
            raise OutOfReach("The sender failed.", "Its words are above.")
    finally:
        if sender.returncode is None:
            sender.kill()
            await sender.wait()
    return [Answered.model_validate_json(line) for line in out.read_text().splitlines()], back


def missing(answered: list[Answered], arrived: Arrived) -> int:
    """What was taken and is not there."""
    taken = [one for one in answered if one.taken_at and not one.again]
    starts = sum(one.issue not in arrived.runs for one in taken if one.kind is Kind.START)
    told = sum(f"{one.issue} {one.happening}" not in arrived.signals for one in taken if one.happening)
    return starts + told


async def _arrived(client: Client) -> Arrived:
    """Counted by the workflows' own histories."""
    runs: Counter[str] = Counter()
    signals: Counter[str] = Counter()
    found = [(one.id, one.run_id) async for one in client.list_workflows("WorkflowType = 'Ticket'")]
    limit = asyncio.Semaphore(_READ_AT_ONCE)

    async def read(workflow_id: str, run_id: str) -> None:
        issue = workflow_id.rpartition(":")[2]
        runs[issue] += 1
        async with limit:
            history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        for event in history.events:
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                given = event.workflow_execution_signaled_event_attributes.input
                (told,) = await client.data_converter.decode(given.payloads)
                signals[f"{issue} {told['id']}"] += 1

    await asyncio.gather(*(read(*one) for one in found))
    return Arrived(runs=dict(runs), signals=dict(signals))
