"""The counting fake provider as a process of its own, with the story's answers.

`python -m tests.system.crash.scripted_provider`: prints its base URL, then serves until it is killed.
GET /_seen/TICKET: the turns that were asked for, in the order they came.
"""

import asyncio
import sys
from collections import defaultdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.fakes.answers import FakeAnswer
from tests.fakes.provider import FakeProvider, running
from tests.system.crash.story import answer, turn_of

LATENCY_SECONDS, CHUNK_SECONDS = 0.02, 0.01


class ScriptedProvider(FakeProvider):
    def __init__(self) -> None:
        super().__init__(answer=self._told, latency=LATENCY_SECONDS, chunk_delay=CHUNK_SECONDS, keep_log=False)
        self._seen: defaultdict[str, list[str]] = defaultdict(list)

    def app(self) -> Starlette:
        app = super().app()
        app.router.routes.append(Route("/_seen/{ticket}", self._seen_of))
        return app

    def _told(self, body: dict[str, Any]) -> FakeAnswer:
        ticket, turn = turn_of(body)
        self._seen[ticket].append(turn)
        return answer(ticket, turn)

    async def _seen_of(self, request: Request) -> Response:
        return JSONResponse(self._seen[request.path_params["ticket"]])


async def main() -> None:
    async with running(ScriptedProvider()) as provider:
        sys.stdout.write(f"{provider.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
