"""The demo at a gate: a decision is sent whoever sits there, and the terminal is given back however it ends."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from typing import NoReturn

import pytest
from temporalio.client import Client, DescribeWorkflowInput, Interceptor, OutboundInterceptor
from temporalio.service import RPCError, RPCStatusCode

from infra.demo.gate import Gate
from infra.demo.screen import Screen
from infra.exits import Exit
from tests.infra.command_line import ROOT
from workflows.domain.order import TicketStatus
from workflows.domain.ticket import Phase


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A terminal's two ends: the person's and the program's."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


class Away(Interceptor):
    """A wire on which nothing reaches the server."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002  # the SDK's name
        class Outbound(OutboundInterceptor):
            async def describe_workflow(self, input: DescribeWorkflowInput) -> NoReturn:  # noqa: A002
                raise RPCError("it is away", RPCStatusCode.UNAVAILABLE, b"")

        return Outbound(next)


async def test_a_user_without_a_name_can_decide(
    terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2_000_000_123)
    ours, theirs = terminal
    with os.fdopen(os.dup(theirs), "r") as keyboard:
        monkeypatch.setattr(sys, "stdin", keyboard)
        screen = Screen(json=False, listens=True)
        screen.listens = True
        client = await Client.connect("127.0.0.1:1", lazy=True, interceptors=[Away()])
        gate = Gate(screen, client, "ticket:board:T-1", yes=False, elsewhere=lambda _: [])
        status = TicketStatus(
            identifier="T-1",
            title="A title",
            phase=Phase.PLAN_GATE,
            waiting_for="A plan waits",
            repository="/r",
            account="a",
        )
        await gate.attend(status)
        await asyncio.sleep(0.05)
        os.write(ours, b"a")
        said = ""
        async with asyncio.timeout(10):
            while "it is away" not in said:
                await gate.attend(status)
                await asyncio.sleep(0.02)
                said += capsys.readouterr().out
        await gate.close()


_AT_A_GATE = """
import asyncio
from infra.demo.play import heeding_signals
from infra.demo.screen import Screen
from infra.exits import Told, exit_now

async def wait_for_a_key():
    with heeding_signals():
        await Screen(json=False, listens=True).key("a")

try:
    asyncio.run(wait_for_a_key())
except Told as told:
    exit_now(told.code)
"""


def test_sigterm_at_a_gate_gives_the_terminal_back(terminal: tuple[int, int]) -> None:
    _, theirs = terminal
    before = termios.tcgetattr(theirs)
    with subprocess.Popen([sys.executable, "-c", _AT_A_GATE], stdin=theirs, cwd=ROOT) as waiting:
        deadline = time.monotonic() + 30
        while termios.tcgetattr(theirs) == before:
            assert waiting.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(timeout=30) == Exit.INTERRUPTED
    assert termios.tcgetattr(theirs) == before
