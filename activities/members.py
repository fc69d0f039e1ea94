"""Whether who spoke may: asked of their place, then passed on as every member's words are."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from temporalio import activity
from temporalio.client import Client

from activities.errors import again, stop
from infra.exits import PawlError
from infra.ingress.deliver import attend
from workflows.domain.failures import Failure
from workflows.domain.intake import Terms
from workflows.domain.people import Person, Trust
from workflows.ports.members import Members, Said, Whisper


class People(Protocol):
    """Those of one place, by their ids there."""

    @abstractmethod
    async def trust_of(self, user: str) -> Trust: ...

    @abstractmethod
    async def whisper(self, user: str, heard_in: str, text: str) -> bool: ...


@dataclass
class PlacesMembers(Members):
    """Of all places of this installation; `places` by the name of their connection."""

    client: Client
    terms: Terms
    places: Mapping[str, People]

    @activity.defn
    async def look_up(self, person: Person) -> Trust:
        return await self._at(person.place).trust_of(person.id)

    @activity.defn
    async def pass_on(self, said: Said) -> None:
        try:
            await attend(self.client, said.words, self.terms)
        except PawlError as error:
            raise again(str(error)) from error

    @activity.defn
    async def whisper(self, whisper: Whisper) -> bool:
        return await self._at(whisper.to.place).whisper(whisper.to.id, whisper.heard_in, whisper.text)

    def _at(self, name: str) -> People:
        if (people := self.places.get(name)) is None:
            raise stop(
                Failure.BAD_REQUEST,
                f"This worker has no connection called {name!r} whose people it could ask for.",
                "Add it to connections.toml and start the worker again.",
            )
        return people
