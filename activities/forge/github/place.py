"""One repository at GitHub, and what every step on it needs."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from activities.errors import stop
from activities.git import each_without_secrets, failures
from activities.github import GitHub, Refused, full_name
from activities.github import told as told_by_github
from activities.github.records import Pull
from workflows.domain.change import Repository
from workflows.domain.failures import Failure
from workflows.domain.model import Record

R = TypeVar("R", bound=Record)
MOST_TEXT = 65_000
"""Characters GitHub takes as a body, less a few for marks."""


@dataclass(frozen=True)
class Place:
    """Raises ApplicationError, GitError and Refused: see `told`."""

    github: GitHub
    name: str
    """`owner/name`."""
    ours: str
    """Pawl's own login."""
    connection: str

    async def get(self, path: str, kind: type[R], **query: str | int) -> R:
        return await self.github.get(self.name, path, kind, **query)

    async def every(
        self, path: str, kind: type[R], *, inside: str = "", most: int = 2_000, **query: str | int
    ) -> list[R]:
        return await self.github.every(self.name, path, kind, inside=inside, most=most, **query)

    async def send(self, method: str, path: str, data: dict[str, Any] | None, kind: type[R]) -> R:
        return await self.github.send(self.name, method, path, data, kind)

    async def do(self, method: str, path: str, data: dict[str, Any] | None = None) -> None:
        await self.github.do(self.name, method, path, data)

    async def pull(self, number: int) -> Pull:
        try:
            return await self.get(f"/pulls/{number}", Pull)
        except Refused as refused:
            if refused.status != 404:
                raise
            raise stop(Failure.BAD_REQUEST, f"There is no pull request {number} in {self.name}.") from refused


def place_of(github: GitHub, repository: Repository, ours: str, connection: str) -> Place:
    name = full_name(repository.url, github.web_url)
    if not name:
        raise stop(Failure.REPOSITORY_NOT_FOUND, f"{repository.url} is no repository at {github.web_url}.")
    return Place(github, name, ours, connection)


@contextmanager
def told() -> Generator[None]:
    """Turn what git and GitHub refuse in the block into what a ticket understands."""
    with ExitStack() as both:
        both.enter_context(failures.told())
        both.enter_context(told_by_github())
        yield


async def safe(*texts: str) -> list[str]:
    """The texts without lines that look like secrets, cut to what GitHub takes."""
    return [cut(text, MOST_TEXT) for text in await each_without_secrets(*texts)]


def cut(text: str, most: int) -> str:
    """The text, or its beginning with a notice."""
    return text if len(text) <= most else f"{text[: most - 20]}\n[cut: too long]"
