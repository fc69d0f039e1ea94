"""Putting points before and after methods of real code, in a process that runs it for a test."""

import functools
from collections.abc import Callable, Coroutine
from typing import Any

Call = Callable[..., Any]


def around(owner: Any, name: str, *, before: Call | None = None, after: Call | None = None) -> None:
    """Call `before` and `after` with the arguments of every call of the owner's function; it may be a coroutine
    function."""
    inner: Any = getattr(owner, name)

    @functools.wraps(inner)
    def plain(*args: Any, **named: Any) -> Any:
        if before is not None:
            before(*args, **named)
        result = inner(*args, **named)
        if isinstance(result, Coroutine):
            return _awaited(result, lambda: after(*args, **named) if after is not None else None)  # pyright: ignore[reportUnknownArgumentType]
        if after is not None:
            after(*args, **named)
        return result

    setattr(owner, name, plain)


async def _awaited(result: Coroutine[Any, Any, Any], after: Callable[[], object]) -> Any:
    value = await result
    after()
    return value
