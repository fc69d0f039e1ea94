"""How a worker runs flows and steps: the workflow sandbox, how much at once, how soon a dead one is missed."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib.metadata import version
from typing import Any

from temporalio.client import Client
from temporalio.converter import StorageDriverStoreContext
from temporalio.worker import Interceptor, Worker, WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from infra.settings import Settings
from workflows import names

PASSED_THROUGH = ("workflows",)
"""Loaded once per worker instead of once per ticket, which halves what a parked ticket holds in memory. They keep no
state, `make check` holds them to purity, and a test runs a whole ticket with everything reloaded."""

WORKFLOW_TASKS = 10
"""At a time. They share one core: few of them each end long before their timeout, also when hundreds of tickets are
read again after a start."""


def tuned_worker(
    client: Client,
    settings: Settings,
    flows: Sequence[type],
    steps: Sequence[Callable[..., Any]],
    around: Sequence[Interceptor],
) -> Worker:
    """A worker tuned as measured: a killed one is missed within two seconds, a told one finishes what it is doing."""
    return Worker(
        client,
        task_queue=names.WORK,
        workflows=flows,
        activities=steps,
        workflow_runner=workflow_runner(),
        interceptors=around,
        build_id=version("pawl"),  # the default, a digest of every module, costs 0.4 s of each start
        max_cached_workflows=settings.cached_workflows,
        max_concurrent_workflow_tasks=WORKFLOW_TASKS,
        max_concurrent_activities=settings.activity_slots,
        max_heartbeat_throttle_interval=timedelta(seconds=0.5),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
        graceful_shutdown_timeout=timedelta(seconds=settings.shutdown_seconds),
    )


def workflow_runner(strict: bool = False) -> SandboxedWorkflowRunner:
    """The workflow sandbox. Strict reloads our own modules for every run, which also refuses clocks and randomness
    inside them: slower, for tests."""
    if strict:
        return SandboxedWorkflowRunner()
    return _ContextFreeRunner(SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


class _ContextFreeRunner(SandboxedWorkflowRunner):
    """Payloads are converted alike wherever they are used. The SDK asks all the same, six times per payload and with a
    visit to the sandbox each time, in which context it is: a fifth of the worker's main thread. Here it is told at
    once that there is none. A payload codec or an external storage that wants to know would need the SDK's own runner.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        instance.get_serialization_context = _no_context
        instance.get_external_store_context = _no_store_context
        return instance


def _no_context(command_info: object) -> None:
    """No serialization context."""


def _no_store_context(command_info: object) -> StorageDriverStoreContext:
    return StorageDriverStoreContext(target=None)
