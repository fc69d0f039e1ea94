"""Calls of OpenProject's API, version 3: one request each, and what an error reply means."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast

import httpx
from pydantic import ValidationError

from activities.errors import again, from_response, from_transport
from infra.openproject import Activity, Wire, WorkPackage

SERVICE = "OpenProject"
QUIET = {"notify": "false"}
"""No mail for what Pawl does: whoever wants to know watches the pull request or Slack."""
Part = TypeVar("Part", bound=Wire)


class Missing(Exception):
    """There is no such thing, or Pawl's user may not see it: OpenProject does not tell which."""


class Conflict(Exception):
    """Somebody else has changed it since it was read."""


@dataclass
class Page:
    """A part of a collection."""

    elements: list[dict[str, Any]]
    total: int
    at: datetime
    """When it was read, by the server's clock."""


@dataclass
class Client:
    http: httpx.AsyncClient
    url: str
    key: str = field(repr=False)

    async def card(self, number: int) -> WorkPackage:
        """Raises Missing."""
        return self.part(WorkPackage, await self.call("GET", f"work_packages/{number}"))

    async def change_card(self, card: WorkPackage, changes: Mapping[str, Any]) -> WorkPackage:
        """Change what was read and nothing newer. Raises Missing, Conflict."""
        body = {"lockVersion": card.lock_version, **changes}
        return self.part(WorkPackage, await self.call("PATCH", f"work_packages/{card.id}", body, QUIET))

    async def activities(self, number: int) -> list[Activity]:
        """The journal of a work package, oldest first. Raises Missing."""
        page = await self.page(f"work_packages/{number}/activities")
        return sorted((self.part(Activity, one) for one in page.elements), key=lambda one: one.id)

    async def cards(self, filters: list[dict[str, Any]], sort: str = "id", size: int = 100, page: int = 1) -> Page:
        """Work packages that fit all filters, closed ones included."""
        query = {"sortBy": json.dumps([[sort, "asc"]]), "pageSize": str(size), "offset": str(page)}
        return await self.page("work_packages", {**where(*filters), **query})

    async def page(self, path: str, query: Mapping[str, str] | None = None) -> Page:
        response = await self._send("GET", path, None, query)
        said = _object(response)
        elements = said.get("_embedded", {}).get("elements", [])
        return Page(elements=elements, total=int(said.get("total", len(elements))), at=_when(response))

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        response = await self._send(method, path, body, query)
        return _object(response) if response.content else {}

    async def download(self, path: str, most: int) -> bytes | None:
        """At most so many bytes; None where there are more, or none to be had. OpenProject may send us on to where it
        stores files: httpx leaves the key out of a request to another host."""
        address, data = f"{self.url}/api/v3/{path}", bytearray()
        try:
            async with self.http.stream("GET", address, auth=self._auth, follow_redirects=True) as response:
                if response.status_code in (403, 404, 410):
                    return None
                if not response.is_success:
                    await response.aread()
                    raise from_response(SERVICE, response)
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > most:
                        return None
        except httpx.HTTPError as error:
            raise from_transport(SERVICE, error) from error
        return bytes(data)

    def part(self, kind: type[Part], said: Any) -> Part:
        try:
            return kind.model_validate(said)
        except ValidationError as error:
            wrong = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
            raise again(f"{SERVICE} answered something that is no {kind.__name__}: {wrong}.") from error

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, query: Mapping[str, str] | None
    ) -> httpx.Response:
        address = f"{self.url}/api/v3/{path}"
        try:
            response = await self.http.request(method, address, json=body, params=query, auth=self._auth)
        except httpx.HTTPError as error:
            raise from_transport(SERVICE, error) from error
        if response.status_code == 404:
            raise Missing(path)
        if response.status_code == 409:
            raise Conflict(path)
        if not response.is_success:
            raise from_response(SERVICE, response)
        return response

    @property
    def _auth(self) -> httpx.BasicAuth:
        return httpx.BasicAuth("apikey", self.key)


def condition(name: str, operator: str, *values: str) -> dict[str, Any]:
    return {name: {"operator": operator, "values": list(values)}}


def where(*conditions: dict[str, Any]) -> dict[str, str]:
    """The part of a query that asks for what fits all conditions."""
    return {"filters": json.dumps(conditions)}


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        said = response.json()
    except ValueError as error:
        raise again(f"{SERVICE} answered {response.status_code} without JSON.") from error
    if not isinstance(said, dict):
        raise again(f"{SERVICE} answered {response.status_code} with JSON that is no object.")
    return cast("dict[str, Any]", said)


def _when(response: httpx.Response) -> datetime:
    """The server's clock; ours, a minute back, where it does not tell."""
    try:
        return parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError):
        return datetime.now(UTC) - timedelta(minutes=1)
