"""A whole Pawl before doubles of Linear and GitHub: real processes, real HTTP, real git."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import home as homes
from infra.gateway_client import keep_tape
from infra.settings import Settings
from tests.fakes.github import APP_ID, FakeGitHub, Hands
from tests.fakes.github.webhooks import Payloads
from tests.fakes.github.world import Issue, Pull, Repo
from tests.fakes.linear.deliveries import SECRET
from tests.fakes.linear.rows import Row
from tests.fakes.linear.server import KEY, FakeLinear
from tests.fakes.service import serving
from tests.infra.command_line import ROOT, environment
from tests.infra.running import Up
from tests.system.outside import script
from tests.system.outside.postman import GITHUB_SECRET, Postman

REPOSITORY = "acme/shop"
CONNECTIONS = """
poll_seconds = {poll}

[connections.linear]
url = "{linear}/graphql"
uploads_url = "{linear}/files"
app_user = "{us}"

[connections.github]
url = "{github}/api"
web_url = "{github}"
graphql_url = "{github}/graphql"
login = "pawl[bot]"

[[routes]]
tracker = "linear"
team = "ENG"
repository = "{github}/acme/shop"
model = "{model}"
"""


@dataclass
class Town:
    linear: FakeLinear
    team: Row
    github: FakeGitHub
    hands: Hands
    repo: Repo
    postman: Postman
    carrying: asyncio.Task[None]
    """The postman at work: should he fall, nothing more would come."""
    up: Up

    @property
    def payloads(self) -> Payloads:
        return Payloads(self.github.world, self.github.url)

    @property
    def pull(self) -> tuple[Issue, Pull]:
        return self.hands.pull(self.repo)

    @property
    def head(self) -> str:
        return self.repo.head(self.pull[1])

    async def pawl(self, *arguments: str) -> Any:
        answer = await asyncio.to_thread(self.up.pawl, *arguments)
        assert answer.code == 0, answer.out + answer.err
        return answer.json

    async def until(self, holds: Callable[[], Any], what: str, seconds: float = 90) -> Any:
        """What it gives as soon as it is true. Fails with the ticket's story."""
        deadline = time.monotonic() + seconds
        while not (found := holds()):
            if time.monotonic() > deadline:
                raise AssertionError(f"never seen: {what}\n{await self.story()}")
            assert self.up.process.poll() is None, self.up.heard.read_text()
            assert not self.carrying.done(), self.carrying.result()
            await asyncio.sleep(0.05)
        return found

    async def story(self) -> str:
        shown = await asyncio.to_thread(self.up.pawl, "show", "ENG-1")
        said = "\n".join(f"{row['type']}: {row['content']}" for row in self.linear.all("agentActivity"))
        return f"{shown.out}\n{said}\n{self.postman.brought} {self.postman.lost} {self.postman.refused}"


@asynccontextmanager
async def town(folder: Path, *, poll_seconds: int, careless: bool = False) -> AsyncGenerator[Town]:
    """Ends by asserting that nobody asked a double what it cannot answer, and that no delivery was refused."""
    linear, github = FakeLinear(), FakeGitHub(folder / "github")
    team, hands = linear.team("ENG"), Hands(github, folder)
    repo = hands.repository(REPOSITORY, script.FILES)
    place, port = folder / "home", _free_port()
    place.mkdir()
    async with serving(linear.http) as linear_url, github.running():
        said = CONNECTIONS.format(
            poll=poll_seconds, linear=linear_url, github=github.url, us=linear.us["id"], model=script.model()
        )
        (place / "connections.toml").write_text(said)
        postman = Postman(f"http://127.0.0.1:{port}", linear, github, careless)
        async with _up(place, folder / "up.jsonl", _keys(github, port)) as up:
            await keep_tape(homes.located(Settings(home=place)), script.tape())
            carrying = asyncio.create_task(postman.work())
            try:
                yield Town(linear, team, github, hands, repo, postman, carrying, up)
            finally:
                carrying.cancel()
                await asyncio.wait([carrying])
    assert not linear.unforeseen
    assert not postman.refused


def _keys(github: FakeGitHub, port: int) -> dict[str, str]:
    return {
        "LINEAR_API_KEY": KEY,
        "LINEAR_WEBHOOK_SECRET": SECRET,
        "PAWL_GITHUB_APP_ID": APP_ID,
        "PAWL_GITHUB_PRIVATE_KEY": github.private_key,
        "PAWL_GITHUB_WEBHOOK_SECRET": GITHUB_SECRET,
        "PAWL_INGRESS_PORT": str(port),
    }


@asynccontextmanager
async def _up(place: Path, heard: Path, keys: dict[str, str]) -> AsyncGenerator[Up]:
    process = _started(place, heard, keys)
    up = Up(place, process, heard, place / "unused")
    try:
        await asyncio.to_thread(up.until, lambda: '{"up"' in heard.read_text(), 200)
        yield up
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 60)


def _started(place: Path, heard: Path, keys: dict[str, str]) -> subprocess.Popen[str]:
    argv = [sys.executable, str(ROOT / "starter.py"), "up"]
    with heard.open("w") as out:
        return subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, env=environment(place, **keys), text=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
