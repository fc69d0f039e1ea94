"""What every activity gets without asking: a heartbeat while it runs, a span, and a log line when it fails."""

import asyncio
from contextlib import suppress
from typing import Any

from opentelemetry import trace
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

BEATS_PER_TIMEOUT = 4
"""A beat can be late by three intervals before the server gives the step to another worker."""

_TRACER = trace.get_tracer("pawl")
"""Does nothing until telemetry is set up; then every step is one short span of its ticket's trace."""


class StepInterceptor(Interceptor):
    """Register it with the worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  # the SDK's name
        return _Step(next)


class _Step(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002  # the SDK's name
        info = activity.info()
        beating = asyncio.create_task(_beat(info.heartbeat_timeout.total_seconds())) if info.heartbeat_timeout else None
        about = {"pawl.workflow": info.workflow_id or "", "pawl.attempt": info.attempt}
        try:
            with _TRACER.start_as_current_span(info.activity_type, attributes=about):
                return await super().execute_activity(input)
        except ApplicationError as error:
            activity.logger.warning("%s failed: %s", info.activity_type, error.message)
            raise
        finally:
            if beating is not None:
                beating.cancel()
                with suppress(asyncio.CancelledError):
                    await beating


async def _beat(timeout_seconds: float) -> None:
    """Sign of life only: heartbeats are throttled and not durable, so they never carry data. Short steps need none."""
    while True:
        await asyncio.sleep(timeout_seconds / BEATS_PER_TIMEOUT)
        activity.heartbeat()
