"""Carries webhooks from the doubles to a running ingress: each once and at once, or as badly as a network can."""

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.fakes.github import FakeGitHub, signed
from tests.fakes.github.app_api import Delivery
from tests.fakes.linear.server import FakeLinear
from tests.fakes.service import no_kept_connections

GITHUB_SECRET = "the-secret-of-github's-webhook"
WINDOW = 0.5
"""Seconds whose letters are mixed with one another."""


@dataclass(frozen=True)
class Letter:
    place: str
    kind: str
    headers: dict[str, str]
    body: bytes
    lasting: bool = False
    """Sent again because somebody asked for it: it is not lost once more."""


@dataclass
class Postman:
    ingress: str
    linear: FakeLinear
    github: FakeGitHub
    careless: bool = False
    """Loses every other letter of each kind, the first one of them, brings the rest three times and out of order."""
    lost: Counter[str] = field(default_factory=Counter[str])
    brought: Counter[str] = field(default_factory=Counter[str])
    refused: list[str] = field(default_factory=list[str])
    _of_github: list[Letter] = field(default_factory=list[Letter])
    _known: dict[str, Letter] = field(default_factory=dict[str, Letter])
    seen: Counter[str] = field(default_factory=Counter[str])
    _taken: int = 0
    _chance: random.Random = field(default_factory=lambda: random.Random(5))

    def post(self, event: str, payload: Any) -> None:
        """GitHub tells of something."""
        body, guid = json.dumps(payload).encode(), str(uuid4())
        headers = {
            "content-type": "application/json",
            "x-github-event": event,
            "x-github-delivery": guid,
            "x-hub-signature-256": signed(body, GITHUB_SECRET),
        }
        letter = Letter("github", f"github {event}", headers, body)
        self._known[guid] = letter
        self._of_github.append(letter)

    def asked_again(self, delivery: Delivery) -> None:
        """GitHub was asked to send a delivery once more."""
        letter = self._known[delivery.guid]
        self._of_github.append(Letter(letter.place, letter.kind, letter.headers, letter.body, lasting=True))

    async def work(self) -> None:
        self.github.apps.sends = self.asked_again
        async with no_kept_connections() as web:
            while True:
                await asyncio.sleep(WINDOW if self.careless else 0.02)
                letters = [copy for letter in self._new() for copy in self._copies(letter)]
                if self.careless:
                    self._chance.shuffle(letters)
                for letter in letters:
                    await self._bring(web, letter)

    def _new(self) -> list[Letter]:
        fresh = self.linear.deliveries[self._taken :]
        self._taken += len(fresh)
        letters = [Letter("linear", _kind(one.body), one.headers, one.body) for one in fresh]
        letters += self._of_github
        self._of_github = []
        return letters

    def _copies(self, letter: Letter) -> list[Letter]:
        self.seen[letter.kind] += not letter.lasting
        is_lost = self.careless and not letter.lasting and self.seen[letter.kind] % 2 == 1
        if letter.place == "github" and not letter.lasting:
            self._noted(letter, 504 if is_lost else 200)
        if is_lost:
            self.lost[letter.kind] += 1
            return []
        return [letter] * (3 if self.careless else 1)

    def _noted(self, letter: Letter, status: int) -> None:
        """GitHub keeps what became of each delivery, for its app to read."""
        world, guid = self.github.world, letter.headers["x-github-delivery"]
        event = letter.headers["x-github-event"]
        self.github.apps.deliveries.append(Delivery(world.next_id(), guid, world.now(), event, status))

    async def _bring(self, web: httpx.AsyncClient, letter: Letter) -> None:
        answer = await web.post(f"{self.ingress}/hooks/{letter.place}", content=letter.body, headers=letter.headers)
        self.brought[letter.kind] += 1
        if answer.status_code not in (200, 202):
            self.refused.append(f"{letter.kind}: {answer.status_code} {answer.text}")


def _kind(body: bytes) -> str:
    """Of a delivery of Linear."""
    told = json.loads(body)
    return f"linear {told['type']} {told['action']}"
