"""Which connections are out of use for want of a key, said in the same words wherever it matters.

One that is out of use keeps nothing else from working. Nothing is asked of any service here.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from infra.connections import AnyConnection, Connections, GitHub, Linear, OpenProject, Slack, secret, secrets_in
from infra.exits import Misused

_AGAIN = "then start Pawl again"


def out_of_use(table: Connections, environ: Mapping[str, str] = os.environ) -> dict[str, Misused]:
    """The connections whose key a worker lacks, each with why and what to do."""
    found: dict[str, Misused] = {}
    for name, one in table.connections.items():
        try:
            _look_for_key(name, one, environ)
        except Misused as problem:
            found[name] = problem
    return found


def unheard(table: Connections, environ: Mapping[str, str] = os.environ) -> dict[str, Misused]:
    """The connections that are to be heard of by webhooks or a socket, and cannot be."""
    found: dict[str, Misused] = {}
    for name, one in table.connections.items():
        if not is_heard(one, environ):
            continue
        if isinstance(one, Linear) and not one.app_user:  # Pawl would take its own comments for a member's, and obey
            cause = f"Nobody says which user of Linear is Pawl's own in the connection {name}."
            where = "docs/operate/linear.md shows how"
            found[name] = Misused(cause, f"Write app_user under [connections.{name}] ({where}), {_AGAIN}.")
        elif isinstance(one, Slack) and not one.team and not secret(one.bot_token_env, environ):
            cause = f"Nobody says which workspace of Slack the connection {name} is."
            mend = f"Set {one.bot_token_env}, or write team and bot_user in connections.toml, {_AGAIN}."
            found[name] = Misused(cause, mend)
    return found


def is_heard(one: AnyConnection, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether what happens there can be told to an ingress: a secret is there that vouches for it."""
    return any(secrets_in(variable, environ) for variable in one.variables(one.HEARD_BY))


def without_secret(name: str, one: AnyConnection) -> Misused:
    """Why webhooks of a connection that has no secret for them are not taken."""
    variables = " or ".join(sorted(one.variables(one.HEARD_BY)))
    return Misused(f"The connection {name} has no secret for its webhooks.", f"Set {variables}, {_AGAIN}.")


def valid_key(one: AnyConnection) -> str:
    """What to do about a key that its service refuses."""
    return f"Set {' or '.join(sorted(one.variables(one.WORKER)))} to what is valid at {one.url}, {_AGAIN}."


def needed(name: str, variable: str, otherwise: str = "", environ: Mapping[str, str] = os.environ) -> str:
    """What the variable holds. Raises Misused for a connection without its key."""
    held = secret(variable, environ)
    if held is None:
        more = f", {otherwise}" if otherwise else ""
        raise Misused(f"The connection {name} has no key.", f"Set {variable}{more}, {_AGAIN}.")
    return held.get_secret_value()


def private_key(name: str, variable: str, environ: Mapping[str, str] = os.environ) -> str:
    """The key itself, or what is in the file of that name. Raises Misused."""
    held = needed(name, variable, environ=environ)
    if _is_pem(held):
        return held.replace("\\n", "\n")  # as many shells and panels keep it
    try:
        read = Path(held).expanduser().read_text("utf-8")
        why = "" if _is_pem(read) else "the file holds none"
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a ~ of nobody
        read, why = "", type(error).__name__
    if why:
        raise Misused(
            f"{variable} of the connection {name} is neither a key nor a readable file with one ({why}).",
            f"Give the PEM text that GitHub handed out, or the path of its file, {_AGAIN}.",
        )
    return read


def _is_pem(text: str) -> bool:
    return "PRIVATE KEY" in text


def _look_for_key(name: str, one: AnyConnection, environ: Mapping[str, str]) -> None:
    match one:
        case Linear() if secret(one.client_id_env, environ):
            needed(name, one.client_secret_env, environ=environ)
        case Linear():
            needed(name, one.key_env, f"or {one.client_id_env} and {one.client_secret_env}", environ)
        case GitHub() if secret(one.app_id_env, environ):
            private_key(name, one.private_key_env, environ)
        case GitHub():
            needed(name, one.token_env, f"or {one.app_id_env} and {one.private_key_env}", environ)
        case OpenProject():
            needed(name, one.key_env, environ=environ)
        case Slack():
            needed(name, one.bot_token_env, environ=environ)
