"""The composition root: settings -> adapters -> a worker. The only place that knows everyone."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import httpx
from temporalio.client import Client, Plugin

from activities.agent.builtin import BuiltinAgent
from activities.agent.models import load_apis
from activities.audit.file import FileAudit
from activities.context.repository import RepositoryContext
from activities.forge.bare_git import BareGitForge
from activities.forge.router import ForgeRouter
from activities.intake import TemporalIntake
from activities.interceptor import StepInterceptor
from activities.journal.decisions import keep_decisions
from activities.journal.sql import SqlJournal
from activities.members import PlacesMembers
from activities.model.gateway import GatewayModel, GatewayRuns
from activities.notebook.file import FileNotebook
from activities.notify.console import ConsoleNotify
from activities.notify.everywhere import EverywhereNotify
from activities.opening import outside
from activities.sandbox.choice import chosen_sandbox
from activities.sandbox.orphans import sweep_orphans
from activities.schedules import TemporalSchedules
from activities.sweeping import sweeping
from activities.tracker.board import BoardTracker
from activities.tracker.router import TrackerRouter
from activities.workspace.checkouts import SandboxCheckouts, sandbox_key
from activities.workspace.image_uses import ImageUses
from activities.workspace.sandboxed import SandboxWorkspace
from infra import telemetry
from infra.card_moves import obeying_the_board
from infra.client import is_under_way
from infra.connections import read_connections
from infra.exits import Misused, OutOfReach, PawlError
from infra.journal import journal_of
from infra.runner import tuned_worker
from infra.schedules import ensure_schedules
from infra.secrets import gateway_secret
from infra.settings import Settings
from infra.spare import wait_until_needed
from infra.temporal import connect, exit_now
from workflows import names
from workflows.digest import DigestFlow
from workflows.filing import Filing
from workflows.hearing import Hearing
from workflows.loop import Loop
from workflows.ports import Port
from workflows.ports.sandbox import BadSpec, PolicyUnsupported, SandboxError
from workflows.session import Session
from workflows.sweep import Sweep
from workflows.sync import Sync
from workflows.ticket import Ticket
from workflows.triage import Triage

FLOWS = (Ticket, Session, Sync, Filing, Hearing, DigestFlow, Loop, Triage, Sweep)
Capabilities = Callable[[Settings, Client], AbstractAsyncContextManager[list[Port]]]


@asynccontextmanager
async def ports(settings: Settings, client: Client) -> AsyncGenerator[list[Port]]:
    """Every capability of this machine's Pawl: the local adapters, and those of its connections."""
    home, secret, table = settings.home, gateway_secret(settings), read_connections(settings)
    store = journal_of(settings)
    journal = SqlJournal(store)
    sandbox = await chosen_sandbox(settings, partial(keep_decisions, store))
    # The timeout is below that of the port's steps, so that people read what cannot be reached.
    async with (
        outside(table, home / "clones", journal, settings.ui_url) as elsewhere,
        httpx.AsyncClient(base_url=settings.gateway_url, trust_env=False, timeout=15) as gateway,
    ):
        checkouts = SandboxCheckouts(sandbox, elsewhere.clones, journal)
        tracker = TrackerRouter({"board": BoardTracker(settings.board_folder), **elsewhere.trackers})
        orphans = partial(sweep_orphans, sandbox, partial(is_under_way, client))
        sweeps = {
            "Orphaned sandboxes": orphans,
            "Unused prepared images": ImageUses(sandbox, journal).sweep,
        }
        agent = BuiltinAgent(
            journal,
            checkouts,
            GatewayRuns(gateway, secret),
            settings.gateway_url,
            destroy=lambda key: sandbox.destroy(sandbox_key(key)),
        )
        try:
            async with sweeping(sweeps):
                yield [
                    tracker,
                    ForgeRouter(BareGitForge(settings.forge_folder, elsewhere.clones, journal), elsewhere.forges),
                    RepositoryContext(elsewhere.clones, journal),
                    FileNotebook(settings.triage_folder),
                    FileAudit(home / "audit.log"),
                    GatewayModel(gateway, secret),
                    SandboxWorkspace(sandbox, checkouts, journal, orphans),
                    agent,
                    EverywhereNotify([ConsoleNotify(home / "notes.log"), *elsewhere.places]),
                    TemporalIntake(client, tracker, table.terms(settings), elsewhere.redeliver),
                    TemporalSchedules(client),
                    PlacesMembers(client, table.terms(settings), elsewhere.people),
                ]
        finally:
            await agent.close()


async def run(settings: Settings, plugins: Sequence[Plugin], capabilities: Capabilities = ports) -> None:
    """Work until told to stop, then finish the running steps."""
    client = await connect(settings, plugins=plugins)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with (
        capabilities(settings, client) as adapters,
        tuned_worker(client, settings, FLOWS, _steps(adapters), [StepInterceptor()]),
        obeying_the_board(client, settings.board_folder),
    ):
        print(f"The worker is ready: queue {names.WORK} at {client.service_client.config.target_host}.", flush=True)
        if (table := read_connections(settings)).connections:
            await ensure_schedules(client, table)
        await stopping.wait()


def _steps(adapters: Sequence[Port]) -> list[Callable[..., Any]]:
    return [method for port in adapters for method in port.activities()]


def _unusable(error: SandboxError) -> PawlError:
    """What keeps the chosen provider from being used at all; errors of a ticket's steps end in the ticket."""
    if isinstance(error, (BadSpec, PolicyUnsupported)):
        return Misused(f"The sandbox cannot be used as it is set. {error}", "Correct it and start the worker again.")
    return OutOfReach(f"The sandbox's provider does not let itself be used now. {error}", "Try again later.")


def main() -> int:
    wait_until_needed(load_apis)
    os.umask(0o077)  # journal, clones and objects hold people's tickets and code
    settings = Settings()
    telemetry.log_to_stderr()
    tracing = telemetry.set_up("pawl-worker")
    try:
        asyncio.run(run(settings, tracing.plugins))
    except (PawlError, SandboxError) as error:
        problem = _unusable(error) if isinstance(error, SandboxError) else error
        print(problem, file=sys.stderr)
        return problem.exit
    finally:
        tracing.shut_down()
    return 0


if __name__ == "__main__":
    exit_now(main())
