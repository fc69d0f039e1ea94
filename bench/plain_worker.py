"""`python -m bench.plain_worker`: Pawl's worker with the plain workspace, repository and forge."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
from temporalio.client import Client

import worker
from activities.agent.builtin import BuiltinAgent
from activities.agent.models import load_apis
from activities.journal.sql import SqlJournal
from activities.model.gateway import GatewayModel, GatewayRuns
from activities.notify.console import ConsoleNotify
from activities.tracker.board import BoardTracker
from bench.plain import PlainCheckouts, PlainContext, PlainForge, PlainWorkspace
from infra import telemetry
from infra.journal import journal_of
from infra.secrets import gateway_secret
from infra.settings import Settings
from infra.spare import wait_until_needed
from infra.temporal import exit_now
from workflows.ports import Port


@asynccontextmanager
async def plain_ports(settings: Settings, _: Client) -> AsyncGenerator[list[Port]]:
    home, secret = settings.home, gateway_secret(settings)
    journal = SqlJournal(journal_of(settings))
    checkouts = PlainCheckouts(home / "sandboxes", journal)
    async with httpx.AsyncClient(base_url=settings.gateway_url, trust_env=False, timeout=15) as gateway:
        runs = GatewayRuns(gateway, secret)
        agent = BuiltinAgent(journal, checkouts, runs, settings.gateway_url, destroy=checkouts.destroy)
        try:
            yield [
                BoardTracker(settings.board_folder),
                PlainForge(settings.forge_folder, journal),
                PlainContext(journal),
                GatewayModel(gateway, secret),
                PlainWorkspace(checkouts),
                agent,
                ConsoleNotify(home / "notes.log"),
            ]
        finally:
            await agent.close()


if __name__ == "__main__":
    wait_until_needed(load_apis)
    telemetry.log_to_stderr()
    asyncio.run(worker.run(Settings(), [], plain_ports))
    exit_now(0)
