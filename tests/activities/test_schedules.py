"""A loop pauses its own schedule, and no person's words about it are overwritten."""

from uuid import uuid4

import pytest
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleHandle, ScheduleSpec
from temporalio.exceptions import ApplicationError

from activities.schedules import TemporalSchedules
from workflows.ports.schedules import PauseSchedule

pytestmark = pytest.mark.server


async def made(client: Client) -> ScheduleHandle:
    name = uuid4().hex
    action = ScheduleActionStartWorkflow("None", id=name, task_queue=name)
    return await client.create_schedule(name, Schedule(action=action, spec=ScheduleSpec(cron_expressions=["@yearly"])))


async def test_it_is_paused_with_the_reason_as_its_note(client: Client) -> None:
    schedule = await made(client)
    ask = PauseSchedule(schedule=schedule.id, why="The repository is gone.")
    await TemporalSchedules(client).pause_schedule(ask)
    await TemporalSchedules(client).pause_schedule(ask)
    state = (await schedule.describe()).schedule.state
    assert (state.paused, state.note) == (True, "The repository is gone.")
    await schedule.delete()


async def test_one_that_a_person_paused_keeps_their_words(client: Client) -> None:
    schedule = await made(client)
    await schedule.pause(note="Holidays")
    await TemporalSchedules(client).pause_schedule(PauseSchedule(schedule=schedule.id, why="The repository is gone."))
    assert (await schedule.describe()).schedule.state.note == "Holidays"
    await schedule.delete()


async def test_one_that_is_gone_needs_no_pause(client: Client) -> None:
    await TemporalSchedules(client).pause_schedule(PauseSchedule(schedule=uuid4().hex, why="It is gone."))


async def test_what_the_server_does_not_take_is_tried_again(client: Client) -> None:
    nowhere = Client(client.service_client, namespace="")
    with pytest.raises(ApplicationError, match="does not pause the schedule shop") as failed:
        await TemporalSchedules(nowhere).pause_schedule(PauseSchedule(schedule="shop", why="It is gone."))
    assert not failed.value.non_retryable
