"""`python -m tests.system.crash.killable_gateway`: the real gateway, with points at which it can be killed."""

import sys
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any

from starlette.requests import Request

from infra.gateway import __main__ as gateway
from infra.gateway.admin import Admin
from infra.gateway.calls import Calls
from infra.gateway.flight import Flight
from tests.system.crash.switch import Switch, Victim
from tests.system.crash.wrapping import Call, around

_CALLING: ContextVar[str] = ContextVar("calling")
"""Session of the model call under way."""


def ticket_of(key: str) -> str:
    return key.partition(".")[0]


def lay_points(switch: Switch) -> None:
    def of_call(what: str) -> Call:
        def passing(*_args: Any, **_named: Any) -> None:
            if session := _CALLING.get(""):
                switch.past(ticket_of(session), f"call: {what}")

        return passing

    def of_request(what: str) -> Call:
        def passing(_admin: Admin, request: Request) -> None:
            key = request.path_params.get("session") or request.path_params["account"]
            switch.past(ticket_of(key), what)

        return passing

    for name in ("open_account", "open_run", "close_run", "bill"):
        around(Admin, f"_{name}", before=of_request(f"{name}: asked"), after=of_request(f"{name}: booked"))
    around(Calls, "_settle", before=of_call("answered"), after=of_call("kept"))
    around(Flight, "add", after=of_call("streaming"))
    around(Flight, "land", after=of_call("handed on"))
    _lay_flight_point(of_call("reserved"))


def _lay_flight_point(reserved: Call) -> None:
    whole: Any = vars(Calls)["_fly"]

    async def fly(calls: Calls, key: tuple[str, int, str], *args: Any) -> None:
        _CALLING.set(key[0])
        reserved()
        flying: Coroutine[Any, Any, None] = whole(calls, key, *args)
        await flying

    setattr(Calls, "_fly", fly)  # noqa: B010  # pyright would not have us name it


if __name__ == "__main__":
    lay_points(Switch(Victim.GATEWAY))
    sys.exit(gateway.main())
