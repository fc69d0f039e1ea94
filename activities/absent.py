"""Stand-ins for what a connection would give, had it its key: whatever needs it says why it cannot go on."""

from typing import Any, NoReturn, TypeVar, cast

from activities.errors import stop
from infra.exits import Misused
from workflows.domain.failures import Failure

P = TypeVar("P")


def absent(kind: type[P], why: Misused) -> P:
    """A `kind` every method of which raises BadCredentials: the ticket that needs it waits in Blocked with these words,
    and goes on when it is resumed under a worker that has the key."""

    async def refuse(_: Any, *__: Any) -> NoReturn:
        raise stop(Failure.BAD_CREDENTIALS, why.cause, why.next_step)

    names: frozenset[str] = getattr(kind, "__abstractmethods__", frozenset())
    return cast("P", type(f"Absent{kind.__name__}", (kind,), dict.fromkeys(names, refuse))())
