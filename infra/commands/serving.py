"""The commands that run processes: up, server, gateway, worker."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from infra import home, temporal
from infra.connections import connections_file, read_connections
from infra.connections_keys import out_of_use, unheard
from infra.console import Console, safe
from infra.exits import Misused
from infra.gateway.settings import GatewaySettings
from infra.parts import ROOT, Part, absolute, environment, server_is_elsewhere, takes_webhooks
from infra.process import StackEvent, What
from infra.settings import Settings
from infra.stack import PROGRAMS, Stack

_DRAINING = "Letting running steps finish. Ctrl-C again stops at once; only a model call in flight is then paid again."
_STYLES = {What.READY: "green"} | dict.fromkeys((What.STUCK, What.DIED, What.NOT_STARTED), "bold red")


async def up(console: Console, settings: Settings, parts: tuple[Part, ...]) -> None:
    """Run the parts until Ctrl-C, SIGTERM or a closed terminal, then drain them; a second one stops the drain."""
    _refuse_unreadable(settings, parts)
    if parts == (Part.SERVER,) and server_is_elsewhere():
        raise Misused("The environment names a Temporal server already.", "Unset TEMPORAL_ADDRESS or TEMPORAL_PROFILE.")
    stopping = _Stopping()
    stack = Stack(settings, parts=parts, tell=_teller(console))
    starting = asyncio.ensure_future(stack.start(console.remark))
    await asyncio.wait({starting, stopping.first}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
    with suppress(asyncio.CancelledError):
        await starting
        _say_where(console, stack, parts)
        await stopping.first
    if stack.events and not starting.cancelled():
        with suppress(OSError):  # a terminal that was closed
            console.remark(_DRAINING)
        draining = asyncio.ensure_future(stack.stop())
        await asyncio.wait({draining, stopping.second}, return_when=asyncio.FIRST_COMPLETED)
        if not draining.done():
            draining.cancel()
            with suppress(asyncio.CancelledError):
                await draining
            await stack.stop(0)


def become(settings: Settings, part: Part) -> NoReturn:
    """Turn this process into the gateway, a worker or the ingress of this home, so that whoever supervises it sees the
    real one."""
    _refuse_unreadable(settings, (part,))
    located = absolute(home.located(settings))
    if part is Part.INGRESS and not takes_webhooks(located, os.environ):
        raise Misused(
            "No connection has the secret of a webhook, so nobody could be believed.",
            f"Set it (LINEAR_WEBHOOK_SECRET, ...), or name its variable in {connections_file(located)}.",
        )
    argv = PROGRAMS.get(part)
    if argv is None:
        raise Misused(f"{part} cannot be run this way.")
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execve(argv[0], argv, environment(located, part, os.environ))  # noqa: S606  # an argument list, no shell


def _refuse_unreadable(settings: Settings, parts: tuple[Part, ...]) -> None:
    """Settings that a part reads after its start are tried here, where a mistake is told as by every command. Raises
    Misused and ValidationError."""
    temporal.connection(settings)
    read_connections(settings)
    if Part.GATEWAY in parts:
        GatewaySettings()


class _Stopping:
    """The first and the second order to stop. A terminal that is closed gives the first."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.first, self.second = loop.create_future(), loop.create_future()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._heard)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
            loop.add_signal_handler(signal.SIGHUP, self._hung_up)

    def _hung_up(self) -> None:
        """Never the second order: shell and kernel may both send one."""
        if not self.first.done():
            self.first.set_result(None)

    def _heard(self) -> None:
        order = self.second if self.first.done() else self.first
        if not order.done():
            order.set_result(None)


def _teller(console: Console) -> Callable[[StackEvent], None]:
    def tell(event: StackEvent) -> None:
        if console.as_json:
            console.line(event)
        else:
            console.terminal.print(f"[{_STYLES.get(event.what, 'dim')}]{safe(event.sentence)}[/]")

    return tell


def _say_where(console: Console, stack: Stack, parts: tuple[Part, ...]) -> None:
    running, table = home.stack_file(stack.settings), read_connections(stack.settings)
    lacking = out_of_use(table) if Part.WORKER in parts else {}
    closed = unheard(table) if Part.INGRESS in parts else {}
    for name, problem in (closed | lacking).items():
        _say_out_of_use(console, name, problem)
    if console.as_json:
        console.line({"up": running})
        return
    say = console.terminal.print
    if stack.ui_url:
        say(f"Temporal UI  {stack.ui_url}", style="bold")
    if running is not None:
        say(f"Temporal     {running.temporal}")
    if Part.GATEWAY in parts:
        say(f"Gateway      {stack.settings.gateway_url}")
    say(f"Logs         {stack.settings.home / 'logs'}")
    if Part.INGRESS in parts and takes_webhooks(stack.settings, os.environ):
        say(f"Webhooks     {stack.ingress_url}/hooks/NAME")
    if Part.WORKER in parts and (used := [name for name in table.connections if name not in lacking]):
        say(f"Connections  {', '.join(used)}; looked at every {table.poll_seconds} s")
    if Part.WORKER in parts:
        say("Ready. In another terminal: pawl run TICKET --repo PATH_OR_URL")


def _say_out_of_use(console: Console, name: str, problem: Misused) -> None:
    if console.as_json:
        console.line({"out_of_use": {"connection": name, "why": problem.cause, "next": problem.next_step}})
    else:
        console.terminal.print(f"[yellow]The connection {name} is out of use: {safe(str(problem))}[/]")
