"""The double of GitHub with a repository, and clients of both kinds."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from activities.github import Access, App, GitHub, Token
from tests.fakes.github import APP_ID, TOKEN, FakeGitHub, Hands
from tests.fakes.service import no_kept_connections


@dataclass
class Desk:
    fake: FakeGitHub
    hands: Hands
    http: httpx.AsyncClient

    @property
    def app(self) -> App:
        return App(self.http, APP_ID, self.fake.private_key, f"{self.fake.url}/api")

    def client(self, access: Access | None = None) -> GitHub:
        url = self.fake.url
        return GitHub(self.http, access or Token(TOKEN), f"{url}/api", url, f"{url}/graphql")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncGenerator[Desk]:
    fake = FakeGitHub(tmp_path / "github")
    hands = Hands(fake, tmp_path)
    hands.repository("acme/shop", {"a.txt": "one\n"})
    async with fake.running(), no_kept_connections() as http:
        yield Desk(fake, hands, http)
