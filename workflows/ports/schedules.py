"""Temporal Schedules, as the loops that they start see them."""

from abc import abstractmethod
from datetime import timedelta

from temporalio import activity
from temporalio.workflow import ActivityConfig

from workflows.domain.model import Record
from workflows.ports import PATIENT, Port


class PauseSchedule(Record):
    schedule: str
    why: str
    """Shown as the schedule's note."""


class Schedules(Port):
    """Temporal Schedules."""

    options = ActivityConfig(start_to_close_timeout=timedelta(seconds=30), retry_policy=PATIENT)

    @activity.defn
    @abstractmethod
    async def pause_schedule(self, request: PauseSchedule) -> None:
        """Pause it and note why. One that is gone or paused already stays as it is."""
