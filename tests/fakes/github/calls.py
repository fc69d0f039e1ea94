"""From handlers to routes: who may call, what is refused, and replies in pages of the contract's shape."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.fakes.github.shapes import shaped
from tests.fakes.github.world import Issue, Pull, Repo, User, World
from tests.fakes.service import Refused, body_of


@dataclass
class Call:
    """One request, understood."""

    world: World
    by: User
    url: str
    """The double's own, as browsers see it."""
    params: dict[str, str]
    query: dict[str, str]
    body: Any

    @property
    def repo(self) -> Repo:
        """GitHub does not mind how a name's letters are written."""
        asked = f"{self.params['owner']}/{self.params['repo']}".casefold()
        found = next((repo for name, repo in self.world.repos.items() if name.casefold() == asked), None)
        if found is None:
            raise Refused(404, "Not Found")
        return found

    @property
    def issue(self) -> Issue:
        number = int(self.params.get("issue_number") or self.params["pull_number"])
        if number not in self.repo.issues:
            raise Refused(404, "Not Found")
        return self.repo.issues[number]

    @property
    def pull(self) -> tuple[Issue, Pull]:
        if self.issue.pull is None:
            raise Refused(404, "Not Found")
        return self.issue, self.issue.pull

    def number(self, name: str) -> int:
        return int(self.params[name])


Handler = Callable[[Call], tuple[int, Any]]
Table = dict[tuple[str, str], Handler]
Admit = Callable[[Request], User]
_LISTS = ("check_runs", "workflow_runs", "jobs")
_MANY = ("{ref}", "{basehead}", "{path}", "{branch}")


def routes(table: Table, world: World, url: Callable[[], str], admit: Callable[[Request, str], User]) -> list[Route]:
    return [_route(method, path, handler, world, url, admit) for (method, path), handler in table.items()]


def _route(
    method: str, template: str, handler: Handler, world: World, url: Callable[[], str],
    admit: Callable[[Request, str], User],
) -> Route:  # fmt: skip
    async def answer(request: Request) -> Response:
        try:
            by = admit(request, template)
            body = await body_of(request)
            call = Call(
                world, by, url().removesuffix("/api"), dict(request.path_params), dict(request.query_params), body
            )
            status, known = handler(call)
        except Refused as refused:
            return refusal(refused)
        if status == 302:
            return Response(status_code=302, headers={"location": known})
        if status in (204, 205):
            return Response(status_code=status)
        known, following = _page(known, request)
        headers = {"link": f'<{url()}{following}>; rel="next"'} if following else {}
        return JSONResponse(shaped(template, method, status, known), status, headers=headers)

    path = template
    for name in _MANY:
        path = path.replace(name, name.replace("}", ":path}"))
    return Route(path, answer, methods=[method])


def refusal(refused: Refused) -> Response:
    said = {"message": str(refused), "documentation_url": "https://docs.github.com/rest", "status": str(refused.status)}
    return JSONResponse(said, refused.status)


def _page(known: Any, request: Request) -> tuple[Any, str]:
    """A page of a list, or of the list in a counted reply, and where the next one is."""
    key = _key_of_list(known)
    items: Any = known[key] if key else known
    if request.method != "GET" or not isinstance(items, list):
        return known, ""
    every = cast("list[Any]", items)
    size, page = int(request.query_params.get("per_page", 30)), int(request.query_params.get("page", 1))
    part = every[(page - 1) * size : page * size]
    following = ""
    if page * size < len(every):
        query = re.sub(r"(^|&)page=\d+", "", request.url.query)
        following = f"{request.scope['raw_path'].decode()}?{query}&page={page + 1}"
    counted: dict[str, Any] = {"total_count": len(every), key: part}
    return (counted if key else part), following


def _key_of_list(known: Any) -> str:
    return next((name for name in _LISTS if name in known), "") if isinstance(known, dict) else ""
