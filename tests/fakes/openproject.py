"""A double of OpenProject: its API, version 3, as far as Pawl uses it, with real lock versions.

Whatever it does not know, be it a call, a filter or a field in a body, is answered with 501 and remembered as
unforeseen.
"""

import base64
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.fakes.openproject_world import (
    CLOSED,
    FIELD,
    MALLORY,
    NAMES,
    PAWL,
    PROJECTS,
    Card,
    World,
    collection,
    link,
    show_project,
)
from tests.fakes.service import Faults, Refused, body_of

KEY = "opapi-double"
_ERRORS = {401: "Unauthenticated", 403: "MissingPermission", 404: "NotFound", 409: "UpdateConflict"}
_CONFLICT = "Your changes could not be saved: the work package was changed since you have seen it."
Answer = tuple[int, Any] | Response


class OpenProjectDouble(World):
    def __init__(self) -> None:
        super().__init__()
        self.app = Faults(self._routes())
        self.hidden_members = False
        self.journals_read = 0
        self.told_size: int | None = None
        """What is said of every file's size, where it is not true."""
        self.forgets_fields = False
        """Whether a change of a custom field leaves the lock version as it was: OpenProject does not."""
        self.stored_at: Response | None = None
        """Where OpenProject sends whoever wants a file, when it keeps files elsewhere."""

    def _routes(self) -> Starlette:
        api = "/api/v3"
        return Starlette(
            routes=[
                self._route("GET", f"{api}/users/me", self._me),
                self._route("GET", f"{api}/statuses", self._all_statuses),
                self._route("GET", f"{api}/labels", self._all_labels),
                self._route("GET", f"{api}/memberships", self._members),
                self._route("GET", f"{api}/relations", self._related),
                self._route("GET", f"{api}/projects/{{name}}", self._project),
                self._route("GET", f"{api}/work_packages", self._list),
                self._route("POST", f"{api}/work_packages", self._create),
                self._route("GET", f"{api}/work_packages/{{id:int}}", self._show),
                self._route("PATCH", f"{api}/work_packages/{{id:int}}", self._change),
                self._route("DELETE", f"{api}/work_packages/{{id:int}}", self._delete),
                self._route("GET", f"{api}/work_packages/{{id:int}}/activities", self._journal),
                self._route("POST", f"{api}/work_packages/{{id:int}}/activities", self._comment),
                self._route("PATCH", f"{api}/activities/{{id:int}}", self._edit),
                self._route("GET", f"{api}/work_packages/{{id:int}}/attachments", self._attachments),
                self._route("GET", f"{api}/attachments/{{id:int}}/content", self._content),
                Route("/{path:path}", _unforeseen, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
            ]
        )

    def _route(self, method: str, path: str, handler: Callable[[Request], Awaitable[Answer]]) -> Route:
        async def guarded(request: Request) -> Response:
            expected = base64.b64encode(f"apikey:{KEY}".encode()).decode()
            try:
                if request.headers.get("authorization") != f"Basic {expected}":
                    raise Refused(401, "You need to be authenticated to access this resource.")
                answer = await handler(request)
            except Refused as refused:
                answer = (refused.status, _error(refused.status, str(refused)))
            except (AssertionError, LookupError, ValueError) as error:
                answer = (501, _error(501, repr(error)))
            if isinstance(answer, Response):
                return answer
            status, said = answer
            return Response(status_code=204) if said is None else JSONResponse(said, status)

        return Route(path, guarded, methods=[method])

    async def _me(self, _: Request) -> Answer:
        return 200, {"_type": "User", "id": PAWL, "name": NAMES[PAWL]}

    async def _all_statuses(self, _: Request) -> Answer:
        return 200, collection([self.show_status(number + 1) for number in range(len(self.statuses))])

    async def _all_labels(self, _: Request) -> Answer:
        return 200, collection([{"id": n + 1, "name": name} for n, name in enumerate(self.labels)])

    async def _members(self, request: Request) -> Answer:
        (project,) = _filters(request)["project"][1]
        assert int(project) in PROJECTS
        people = [link("users", user) for user in NAMES if user != MALLORY]
        people.append(link("groups", MALLORY))  # groups have ids of their own kind
        shown = [{"_type": "Membership", "_links": {"principal": person}} for person in people]
        return 200, collection([] if self.hidden_members else shown)

    async def _related(self, request: Request) -> Answer:
        numbers = {int(number) for number in _filters(request)["involved"][1]}
        ours = [one for one in self.relations if numbers & {*one[1:]}]
        links = [(kind, link("work_packages", a), link("work_packages", b)) for kind, a, b in ours]
        return 200, collection([{"type": kind, "_links": {"from": a, "to": b}} for kind, a, b in links])

    async def _project(self, request: Request) -> Answer:
        name = request.path_params["name"]
        found = next((n for n, identifier in PROJECTS.items() if name in (str(n), identifier)), None)
        if found is None:
            raise Refused(404, "The requested resource could not be found.")
        return 200, show_project(found)

    async def _list(self, request: Request) -> Answer:
        cards = [card for card in self.cards.values() if self._fits(card, _filters(request))]
        ((by, order),) = json.loads(request.query_params["sortBy"])
        assert by in ("id", "updatedAt")
        cards.sort(key=lambda card: (card.at if by == "updatedAt" else "", card.id), reverse=order == "desc")
        size, page = int(request.query_params["pageSize"]), int(request.query_params["offset"])
        part = cards[(page - 1) * size : page * size]
        return 200, collection([self.show(card) for card in part], len(cards))

    def _fits(self, card: Card, filters: dict[str, tuple[str, list[str]]]) -> bool:
        for name, (operator, values) in filters.items():
            match name, operator:
                case "id", "=":
                    fits = str(card.id) in values
                case "status", "=":
                    fits = str(card.status) in values
                case "status", "o":
                    fits = self.statuses[card.status - 1] not in CLOSED
                case "project", "=":
                    fits = str(card.project) in values
                case "updatedAt", "<>d":
                    fits = _time(values[0]) <= _time(card.at) <= _time(values[1])
                case "customField7", "~":
                    fits = any(value in (card.note or "") for value in values)
                case _:
                    raise AssertionError(f"no filter {name} {operator}")
            if not fits:
                return False
        return True

    async def _show(self, request: Request) -> Answer:
        return 200, self.show(self._found(request), whole=True)

    async def _create(self, request: Request) -> Answer:
        said = await _quiet(request)
        links = said.pop("_links")
        card = Card(self.next_id(), said.pop("subject"), said.pop("description")["raw"], PAWL)
        card.note = said.pop(FIELD) if self.has_field else said.pop(FIELD) and None
        card.project = _id(links.pop("project"))
        card.parent = _id(links.pop("parent", None))
        card.labels = tuple(_id(label) for label in links.pop("labels", ()))
        assert not said, said
        assert not links, links
        if not 0 < len(card.subject) <= 255:
            raise Refused(422, "Subject can't be blank.")
        if card.parent and card.parent not in self.cards:
            raise Refused(422, "Parent does not exist.")
        self.cards[card.id] = card
        self.write(card, PAWL, detail=f"Subject set to {card.subject}")
        return 201, self.show(card, whole=True)

    async def _change(self, request: Request) -> Answer:
        said = await _quiet(request)
        if self.meanwhile:
            act, self.meanwhile = self.meanwhile, None
            act()
        card = self._found(request)
        if said.pop("lockVersion", None) != card.lock:
            raise Refused(409, _CONFLICT)
        status = _id(said.pop("_links", {"status": link("statuses", card.status)})["status"])
        note = said.pop(FIELD, card.note)
        subject, body = said.pop("subject", card.subject), said.pop("description", {"raw": card.body})["raw"]
        assert not said, said
        if not 0 < len(subject) <= 255:
            raise Refused(422, "Subject is too long (maximum is 255 characters).")
        if not 0 < status <= len(self.statuses):
            raise Refused(422, "Status is not set to one of the allowed values.")
        if (subject, body, status, note) != (card.subject, card.body, card.status, card.note):
            card.subject, card.body = subject, body
            card.note = note if self.has_field else None
            self.set_status(card, status, PAWL)
            card.lock -= self.forgets_fields
        return 200, self.show(card, whole=True)

    async def _delete(self, request: Request) -> Answer:
        del self.cards[self._found(request).id]
        return 204, None

    async def _journal(self, request: Request) -> Answer:
        card = self._found(request)
        self.journals_read += 1
        return 200, collection([self.show_entry(card, one) for one in card.journal])

    async def _comment(self, request: Request) -> Answer:
        said = await _quiet(request)
        card = self._found(request)
        entry = self.write(card, PAWL, text=said.pop("comment")["raw"])
        assert not said, said
        return 201, self.show_entry(card, entry)

    async def _edit(self, request: Request) -> Answer:
        said = await body_of(request)
        for card in self.cards.values():
            for entry in card.journal:
                if entry.id == request.path_params["id"]:
                    assert entry.user == PAWL, "only comments of one's own"
                    entry.text = said["comment"]["raw"]
                    return 200, self.show_entry(card, entry)
        raise Refused(404, "The requested resource could not be found.")

    async def _attachments(self, request: Request) -> Answer:
        card = self._found(request)
        files = [(number, *self.files[number]) for number in card.files]
        parts = [
            {"id": n, "fileName": name, "contentType": kind, "fileSize": self.told_size or len(data)}
            for n, name, kind, data in files
        ]
        return 200, collection(parts)

    async def _content(self, request: Request) -> Answer:
        data = self.files[request.path_params["id"]][2]
        return self.stored_at or Response(data, media_type="application/octet-stream")

    def _found(self, request: Request) -> Card:
        card = self.cards.get(request.path_params["id"])
        if card is None:
            raise Refused(404, "The work package you are looking for cannot be found or has been deleted.")
        return card


async def _unforeseen(_: Request) -> Response:
    return JSONResponse(_error(501, "no part of the double"), 501)


async def _quiet(request: Request) -> dict[str, Any]:
    """The body of a write of Pawl's, which sends mail to nobody."""
    assert request.query_params["notify"] == "false"
    return await body_of(request)


def _filters(request: Request) -> dict[str, tuple[str, list[str]]]:
    asked = {name: said for one in json.loads(request.query_params["filters"]) for name, said in one.items()}
    return {name: (said["operator"], said["values"]) for name, said in asked.items()}


def _id(target: dict[str, Any] | None) -> int:
    return int(target["href"].rpartition("/")[2]) if target else 0


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _error(status: int, message: str) -> dict[str, Any]:
    name = _ERRORS.get(status, "PropertyConstraintViolation")
    return {"_type": "Error", "errorIdentifier": f"urn:openproject-org:api:v3:errors:{name}", "message": message}
