"""How Pawl is let in: an app's token is narrow, kept while it is good, and stands nowhere it can be read."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from temporalio.exceptions import ApplicationError

from activities.forge.github import GitHubForge
from activities.git import GitError, TrustedClones
from activities.github import App, GitHub, Refused, Token
from activities.github.records import About
from activities.journal.sql import SqlJournal
from infra.journal import JournalStore
from tests.activities.github.conftest import Desk
from tests.fakes.github import PAWL, TOKEN
from tests.fakes.service import serving
from tests.repos import Box
from workflows.domain.failures import Failure
from workflows.ports.forge import OpenRepository, PublishChange

GRANTS = "POST /api/app/installations/7/access_tokens"


async def test_an_installation_token_is_for_one_repository_and_what_is_needed(desk: Desk) -> None:
    desk.hands.repository("acme/other", {"a.txt": "1"})
    client = desk.client(desk.app)
    for _ in range(2):
        assert (await client.get("acme/shop", "", About)).full_name == "acme/shop"
    (granted,) = [grant for token, grant in desk.fake.apps.grants.items() if token != TOKEN]
    assert granted.repositories == {"acme/shop"}
    assert "administration" not in granted.permissions
    assert granted.permissions["contents"] == "write"
    await client.get("acme/other", "", About)
    assert desk.fake.faults.seen.count(GRANTS) == 2


async def test_a_token_that_is_refused_or_about_to_end_is_replaced(desk: Desk) -> None:
    app = desk.app
    client = desk.client(app)
    await client.get("acme/shop", "", About)
    for token, grant in desk.fake.apps.grants.items():
        grant.revoked = token != TOKEN
    await client.get("acme/shop", "", About)
    assert desk.fake.faults.seen.count(GRANTS) == 2
    soon = datetime.now(UTC) + timedelta(minutes=4)
    app._granted["acme/shop"] = app._granted["acme/shop"].model_copy(update={"expires_at": soon})  # pyright: ignore[reportPrivateUsage]
    await client.get("acme/shop", "", About)
    assert desk.fake.faults.seen.count(GRANTS) == 3


async def test_where_the_app_is_not_installed_people_read_what_to_do(desk: Desk) -> None:
    desk.fake.world.apps.clear()
    with pytest.raises(ApplicationError, match=r"is not installed on acme/shop.*Install the app there") as caught:
        await desk.client(desk.app).get("acme/shop", "", About)
    assert (caught.value.type, caught.value.non_retryable) == (Failure.BAD_CREDENTIALS, True)


@pytest.mark.parametrize("key", ["nonsense", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----"])
async def test_a_key_that_is_none_is_not_shown(desk: Desk, key: str) -> None:
    app = App(desk.http, "1", key, f"{desk.fake.url}/api")
    with pytest.raises(ApplicationError, match="private key of GitHub App 1 cannot be read") as caught:
        await app.token("acme/shop")
    assert key not in str(caught.value)
    assert key not in repr(app)


async def test_the_token_is_in_no_file_no_process_list_and_no_error(desk: Desk, tmp_path: Path) -> None:
    """That it is in no arguments the double sees itself, at every request of git."""
    store = JournalStore(f"sqlite:///{tmp_path}/journal.db", tmp_path / "objects")
    journal, client = SqlJournal(store), desk.client(desk.app)
    clones = TrustedClones(tmp_path / "clones", client.git_access)
    forge = GitHubForge(client, clones, journal, PAWL)
    repository = await forge.open_repository(OpenRepository(url=f"{desk.fake.url}/acme/shop"))
    box = Box(tmp_path / "box", repository, await clones.bundle(repository))
    state = await journal.keep(box.state({"a.txt": "two\n"}))
    change = PublishChange(repository=repository, branch="pawl/T-1", state=state, message="Do it")
    assert (await forge.publish_change(change)).pushed
    store.close()
    (token,) = set(desk.fake.apps.grants) - {TOKEN}
    (basic,) = [value for value in (await client.git_access(repository.url)).values() if "Basic" in value]
    for secret in (token, basic.rpartition(" ")[2]):
        assert secret not in repository.model_dump_json()
        holding = [file for file in tmp_path.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]
        assert not holding
    for grant in desk.fake.apps.grants.values():
        grant.revoked = True
    with pytest.raises(ApplicationError) as caught:
        await clones_of_nobody(desk, tmp_path)
    assert caught.value.type == Failure.BAD_CREDENTIALS
    assert TOKEN not in str(caught.value)


async def clones_of_nobody(desk: Desk, folder: Path) -> None:
    store = JournalStore(f"sqlite:///{folder}/other.db", folder / "objects")
    client = desk.client(Token(TOKEN))
    forge = GitHubForge(client, TrustedClones(folder / "more", client.git_access), SqlJournal(store), PAWL)
    try:
        await forge.open_repository(OpenRepository(url=f"{desk.fake.url}/acme/shop"))
    finally:
        store.close()


async def test_git_shows_the_token_to_this_github_alone(desk: Desk) -> None:
    client = desk.client()
    for url in ("https://example.org/acme/shop", "/srv/acme/shop", f"{desk.fake.url}.example.org/acme/shop"):
        assert not await client.git_access(url)
    shown = await client.git_access(f"{desk.fake.url}/acme/shop.git")
    assert f"http.{desk.fake.url}/.extraHeader" in shown.values()
    assert TOKEN not in repr(client)


async def test_git_follows_no_redirect_with_the_token(desk: Desk, tmp_path: Path) -> None:
    heard: list[str] = []

    async def elsewhere(request: Request) -> Response:
        heard.append(request.headers.get("authorization", ""))
        return Response("no", 404)

    async with serving(Starlette(routes=[Route("/{path:path}", elsewhere)])) as other:

        async def away(request: Request) -> Response:
            return RedirectResponse(f"{other}{request.url.path}?{request.url.query}")

        async with serving(Starlette(routes=[Route("/{path:path}", away)])) as url:
            client = GitHub(desk.http, Token(TOKEN), f"{url}/api", url)
            clones = TrustedClones(tmp_path / "clones", client.git_access)
            with pytest.raises(GitError):
                await clones.fetch("shop", f"{url}/acme/shop.git")
            with pytest.raises(Refused):
                await client.get("acme/shop", "", About)
    assert not heard
