"""The workspace port over sandboxes: preparing, checking and destroying checkouts."""

import asyncio
import time
from datetime import UTC, datetime

from pydantic import TypeAdapter
from temporalio import activity

from activities.sweeping import Sweep
from activities.workspace.checkouts import SandboxCheckouts, sandbox_key
from activities.workspace.errors import told
from activities.workspace.giving_up import is_given_up
from activities.workspace.text import how_it_ended
from activities.workspace.trying import Trials
from workflows.domain.change import Check, CheckReport, CheckResult
from workflows.domain.fingerprint import fingerprint
from workflows.domain.policy import SandboxLimits
from workflows.domain.session import WorkspaceOrder
from workflows.domain.shown import code
from workflows.ports.journal import Journal
from workflows.ports.sandbox import Gone, Sandbox
from workflows.ports.workspace import (
    Carried,
    CarryOver,
    DestroyWorkspace,
    PrepareWorkspace,
    Ran,
    RunChecks,
    Runs,
    TryCommand,
    Workspace,
    WorkspaceReady,
)

_EXCERPT = 1_000
_ATTEMPTS = 3
_RESULTS = TypeAdapter(tuple[CheckResult, ...])


class SandboxWorkspace(Workspace):
    """Checks run in a sandbox of their own that no agent has touched, and that is gone when they end."""

    def __init__(self, sandbox: Sandbox, checkouts: SandboxCheckouts, journal: Journal, sweep: Sweep) -> None:
        """`sweep` knows which tickets are under way, and removes the sandboxes of all others."""
        self._sandbox, self._checkouts, self._journal, self._sweep = sandbox, checkouts, journal, sweep

    @activity.defn
    async def prepare_workspace(self, request: PrepareWorkspace) -> WorkspaceReady:
        began = time.monotonic()
        order, able = request.workspace, self._sandbox.capabilities
        with told():
            image = await self._checkouts.image(order)
            await self._checkouts.open(order)
        environment = order.environment
        unused = f"The image {code(environment.image)} is not used: {able.tier} has none."
        return WorkspaceReady(
            tier=able.tier,
            environment=environment.words,
            notes=environment.notes if able.images or not environment.image else (*environment.notes, unused),
            seconds=round(time.monotonic() - began, 1),
            prepared_seconds=image.seconds if image else 0,
        )

    @activity.defn
    async def run_checks(self, request: RunChecks) -> CheckReport:
        key = f"{request.key}.checks"
        longest = max((check.timeout_seconds for check in request.checks), default=1)
        policy = request.workspace.sandbox.model_copy(update={"seconds": longest})  # each check brings its own
        order = request.workspace.model_copy(update={"key": key, "sandbox": policy})
        with told():
            try:
                results = await self._results(order, request.checks)
            except asyncio.CancelledError:
                if is_given_up():
                    await asyncio.shield(self._sandbox.destroy(sandbox_key(key)))
                raise
            report = await self._report(results)
            await self._sandbox.destroy(sandbox_key(key))
        return report

    @activity.defn
    async def try_command(self, request: TryCommand) -> Runs:
        with told():
            return await Trials(self._sandbox, self._checkouts, self._journal, request).count()

    @activity.defn
    async def sweep_sandboxes(self) -> int:
        with told():
            swept = await self._sweep(datetime.now(UTC))
        if swept.failed:
            activity.logger.warning("Sandboxes that could not be removed: %s", swept.failed)
        return len(swept.removed)

    @activity.defn
    async def carry_over(self, request: CarryOver) -> Carried:
        with told():
            return await self._checkouts.carried(request)

    @activity.defn
    async def destroy_workspace(self, request: DestroyWorkspace) -> None:
        with told():
            await self._sandbox.destroy(sandbox_key(request.key))

    async def _results(self, order: WorkspaceOrder, checks: tuple[Check, ...]) -> list[CheckResult]:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                checkout = await self._checkouts.open(order)
                return [
                    _result(check, await checkout.run(f"check-{n}", check.run, check.timeout_seconds), order.sandbox)
                    for n, check in enumerate(checks, start=1)
                ]
            except Gone:
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("the loop returns or raises")

    async def _report(self, results: list[CheckResult]) -> CheckReport:
        failed = [result for result in results if not result.ok]
        done = f"all {len(results)} checks passed" if len(results) != 1 else f"{results[0].name}: passed"
        return CheckReport(
            ok=not failed,
            summary="; ".join(f"{result.name}: {result.reason}" for result in failed) or done,
            log=await self._journal.keep(_RESULTS.dump_json(tuple(results))),
            excerpt=failed[0].output.strip()[-_EXCERPT:] if failed else "",
            fingerprint=fingerprint("\n".join(f"{r.name}: {r.reason}\n{r.output}" for r in failed)) if failed else "",
        )


def _result(check: Check, ran: Ran, limits: SandboxLimits) -> CheckResult:
    reason = how_it_ended(ran.reason, ran.code, check.timeout_seconds, limits)
    return CheckResult(name=check.name, ok=ran.ok, reason=reason, output=ran.output)
