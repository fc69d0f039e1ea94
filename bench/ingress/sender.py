"""`python -m bench.ingress.sender URL RATE SECONDS SEED FILE`: send at a steady rate, try again as vendors do, and
write down every delivery with its answers."""

import asyncio
import sys
import time
from pathlib import Path

import aiohttp

from bench.ingress.plan import Kind, Plan, Sent
from workflows.domain.model import Record

WAITS = (1.0, 10.0, 30.0)
"""Seconds before each further try: as many as Linear makes (after 60 seconds, an hour and six), and much sooner."""
_PATIENCE = aiohttp.ClientTimeout(total=5)
"""As Linear's."""


class Answered(Record):
    """A delivery and what came of it."""

    kind: Kind
    delivery: str
    issue: str
    happening: str
    again: bool
    due: float
    """When it was to be sent, in seconds after the first."""
    ms: tuple[float, ...]
    """From the moment each try was due to its answer."""
    statuses: tuple[int, ...]
    """0: none came."""
    taken_at: float = 0.0
    """Seconds after the first; 0: never."""


class Sender:
    def __init__(self, http: aiohttp.ClientSession, plan: Plan) -> None:
        self._http, self._plan = http, plan
        self._begun = time.monotonic()

    async def run(self, rate: float, seconds: float) -> list[Answered]:
        tasks: list[asyncio.Task[Answered]] = []
        for number, sent in enumerate(self._plan.deliveries(int(rate * seconds))):
            due = self._begun + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.append(asyncio.create_task(self._send(sent, due)))
        return await asyncio.gather(*tasks)

    async def _send(self, sent: Sent, due: float) -> Answered:
        statuses: list[int] = []
        ms: list[float] = []
        wanted = due
        for wait in (*WAITS, 0.0):
            statuses.append(await self._status(sent))
            ms.append(round((time.monotonic() - wanted) * 1000, 2))
            if statuses[-1] == 200:
                break
            await asyncio.sleep(wait)
            wanted = time.monotonic()
        is_taken = statuses[-1] == 200
        if is_taken and sent.kind is Kind.START and not sent.again:
            self._plan.started(sent.issue)
        return Answered(
            **sent.model_dump(exclude={"body"}),
            due=round(due - self._begun, 3),
            ms=tuple(ms),
            statuses=tuple(statuses),
            taken_at=round(time.monotonic() - self._begun, 3) if is_taken else 0.0,
        )

    async def _status(self, sent: Sent) -> int:
        try:
            async with self._http.post("/hooks/linear", data=sent.body, headers=sent.headers) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0


async def main(url: str, rate: float, seconds: float, seed: str, out: Path) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector, timeout=_PATIENCE) as http:
        async with http.get("/healthz") as answer:  # the first connection to Temporal is nobody's to wait for
            await answer.read()
        answered = await Sender(http, Plan(seed)).run(rate, seconds)
    out.write_text("".join(f"{one.model_dump_json()}\n" for one in answered))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4], Path(sys.argv[5])))
