"""Whose key it is. By Pawl's login its own words are told from others': with a wrong one it would take itself for a
person, and whoever has that login for itself."""

from activities.errors import stop
from activities.github.access import App
from activities.github.client import GitHub
from workflows.domain.failures import Failure

VIEWER = "query Viewer { viewer { login } }"


async def must_be(github: GitHub, repository: str, ours: str) -> None:
    """Raises BadCredentials unless what opens the repository acts there as `ours`. Asked until it was right once."""
    if ours in github.known_as:
        return
    login = str((await github.graphql(repository, VIEWER))["viewer"]["login"])
    if isinstance(github.access, App):
        login = f"{login.removesuffix('[bot]')}[bot]"
    if login.casefold() != ours.casefold():
        cause = f"At {github.web_url} Pawl's key acts as {login}, and the connection says login = {ours!r}."
        next_step = f"Write login = {login!r} under the connection in connections.toml, restart Pawl, then resume."
        raise stop(Failure.BAD_CREDENTIALS, cause, next_step)
    github.known_as.add(ours)
