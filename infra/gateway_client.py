"""What commands ask the gateway: a ticket's bill, and to keep a tape."""

from typing import Any, cast

import httpx

from infra.exits import Misused, NoAccess, NotFound, OutOfReach
from infra.secrets import gateway_secret
from infra.settings import Settings
from workflows.domain.budget import Bill, Spend

_SECONDS = 10.0


async def keep_tape(settings: Settings, tape: bytes) -> None:
    """Hand a tape in; the same bytes are the same tape. Raises Misused with the line of one that cannot be read."""
    await _ask(settings, "PUT", "/v1/tapes", tape)


async def bill(settings: Settings, account: str) -> Bill | None:
    """What the ticket has cost so far; None before its account is open."""
    try:
        return Bill.model_validate(await _ask(settings, "GET", f"/v1/accounts/{account}/bill"))
    except NotFound:
        return None


async def spend_by_session(settings: Settings, account: str) -> dict[str, Spend]:
    """The same session by session; only those that have bought something."""
    try:
        said = await _ask(settings, "GET", f"/v1/accounts/{account}/sessions")
    except NotFound:
        return {}
    return {session: Spend.model_validate(spend) for session, spend in cast("dict[str, Any]", said).items()}


async def is_healthy(settings: Settings) -> bool:
    try:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as web:
            return (await web.get(f"{settings.gateway_url}/health")).is_success
    except httpx.HTTPError:
        return False


async def _ask(settings: Settings, method: str, path: str, body: bytes | None = None) -> object:
    url = settings.gateway_url
    try:
        secret = gateway_secret(settings)
        async with httpx.AsyncClient(base_url=url, timeout=_SECONDS, trust_env=False) as web:
            reply = await web.request(method, path, content=body, headers={"authorization": f"Bearer {secret}"})
    except httpx.HTTPError as error:
        raise OutOfReach(
            f"The gateway at {url} cannot be reached ({type(error).__name__}).",
            "Start it with `pawl up`, or point PAWL_GATEWAY_URL at yours.",
        ) from error
    except ValueError as error:
        raise NoAccess(str(error)) from error
    if reply.is_success:
        return cast("object", reply.json())
    words = _words(reply)
    match reply.status_code:
        case 401 | 403:
            raise NoAccess(words, "Use the same PAWL_HOME or PAWL_GATEWAY_SECRET as the gateway.")
        case 404:
            raise NotFound(words)
        case 413 | 422:
            raise Misused(words)
        case _:
            raise OutOfReach(f"The gateway at {url} failed ({reply.status_code}): {words}")


def _words(reply: httpx.Response) -> str:
    try:
        said = cast("dict[str, Any]", reply.json())
        return str(said["message"])
    except (ValueError, KeyError, TypeError):
        return reply.text[:300]
