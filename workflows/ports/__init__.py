"""Ports: one abstract class per capability. Its abstract methods are the activities, its options our patience."""

from abc import ABC
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityConfig

PATIENT = RetryPolicy(
    initial_interval=timedelta(milliseconds=250),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=60),
    maximum_attempts=16,
)
"""About ten minutes of trying. Then the ticket waits in Blocked until a person resumes it."""
SILENCE = timedelta(seconds=1.5)
"""A step whose worker has given no sign of life for so long is given to another one."""


class Port(ABC):
    """A capability of the outside world: its abstract methods are activities, its subclasses adapters."""

    options: ClassVar[ActivityConfig]

    @classmethod
    def step(cls, summary: str) -> ActivityConfig:
        """The port's options, labelled with the sentence the Temporal UI shows for this step."""
        return {"heartbeat_timeout": SILENCE, **cls.options, "summary": summary[:200]}

    def activities(self) -> list[Callable[..., Any]]:
        """The adapter's activities, to be registered with a worker."""
        names = {name for base in type(self).__mro__ for name in getattr(base, "__abstractmethods__", ())}
        return [getattr(self, name) for name in sorted(names)]
