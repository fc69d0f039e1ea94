"""Calendars: a slip is named by its field before any server is asked, and what the server made of one reads as cron."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleState,
)

from infra import cron
from infra.cron import known_zone, moment, read_cron, spelled_spec, zone_here
from infra.exits import Misused

NOW = datetime(2026, 11, 22, 0, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("61 3 * * *", "the minute '61' is none: it goes from 0 to 59"),
        ("0 24 * * *", "the hour '24' is none: it goes from 0 to 23"),
        ("0 3 0 * *", "the day of month '0' is none"),
        ("0 3 * foo *", "the month 'foo' is none: it goes from 1 to 12, or jan to dec"),
        ("0 3 * * 8", "the day of week '8' is none: it goes from 0 to 7, or sun to sat"),
        ("0 3 ? * FRI", "the day of month '?' is none"),
        ("0 3 * * 1-5 1999", "the year '1999' is none"),
        ("60 0 3 * * * *", "the second '60' is none"),
        ("0 5-3 * * *", "the hour goes from 5 back to 3"),
        ("*/0 3 * * *", "'0' after / in the minute is no step"),
        ("*/x 3 * * *", "'x' after / in the minute is no step"),
        ("0 3, * * *", "the hour '' is none"),
        ("0 ٣ * * *", "the hour '٣' is none"),
        ("0 3 * *", "it has 4 of the 5 fields"),
        ("", "it has 0 of the 5 fields"),
        ("@nightly", "of this kind there is @yearly"),
        ("@every 5s", "it must be a minute at least"),
        ("0 3 * * 1#2", "Temporal takes what follows # for a remark"),
        ("CRON_TZ=Europe/Paris 0 3 * * *", "the zone does not belong into it"),
        ("0 3 31 2 *", "such a day never comes"),
        ("0 3 * * * 2020", "such a day never comes"),
    ],
)
def test_a_slip_is_named(text: str, says: str) -> None:
    with pytest.raises(Misused) as refused:
        read_cron(text, NOW)
    assert says in refused.value.cause
    assert "0 3 * * 1-5" in refused.value.next_step or "--timezone" in refused.value.next_step


@pytest.mark.parametrize(
    ("text", "coming"),
    [
        ("0 3 * * 1-5", ["Mon 23 Nov 03:00 CET", "Tue 24 Nov 03:00 CET"]),
        ("0 3 * * mon-fri", ["Mon 23 Nov 03:00 CET", "Tue 24 Nov 03:00 CET"]),
        ("0 3 * * 5-7", ["Sun 22 Nov 03:00 CET", "Fri 27 Nov 03:00 CET"]),
        ("*/20 1 * * *", ["Sun 22 Nov 01:40 CET", "Mon 23 Nov 01:00 CET"]),
        ("50/5 3 * * *", ["Sun 22 Nov 03:50 CET", "Sun 22 Nov 03:55 CET"]),
        ("0 3 29 2 *", ["Tue 29 Feb 03:00 CET", "Sun 29 Feb 03:00 CET"]),
        ("0 3 * jul * 2027", ["Thu 1 Jul 03:00 CEST", "Fri 2 Jul 03:00 CEST"]),
        ("30 0 3 * * * *", ["Sun 22 Nov 03:00 CET", "Mon 23 Nov 03:00 CET"]),
        ("@Daily", ["Mon 23 Nov 00:00 CET", "Tue 24 Nov 00:00 CET"]),
        ("@every 1h30m", ["Sun 22 Nov 02:30 CET", "Sun 22 Nov 04:00 CET"]),
    ],
)
def test_what_comes_next(text: str, coming: list[str]) -> None:
    found = [moment(at, BERLIN) for at in islice(read_cron(text, NOW).after(NOW, BERLIN), 2)]
    assert found == coming


def test_an_hour_that_a_zone_leaves_out_is_left_out() -> None:
    days = list(islice(read_cron("30 2 * 3 *", NOW).after(datetime(2027, 3, 26, 12, tzinfo=UTC), BERLIN), 3))
    assert [at.day for at in days] == [27, 29, 30], "on the 28th it goes from 01:59 to 03:00"


@pytest.mark.server
async def test_the_server_takes_what_we_take_and_its_form_reads_as_cron_again(client: Client) -> None:
    takes = {
        "0 3 * * 1-5": "0 3 * * 1-5",
        "*/15 0-5,12 1,15 jan-mar mon": "*/15 0-5,12 1,15 1-3 1",
        "0 3 * * 5-7": "0 3 * * 0,5-6",
        "50/5 3 * * *": "50-59/5 3 * * *",
        "0 3 * * 1-5 2099": "0 3 * * 1-5 2099",
        "30 0 3 * * 1-5 *": "30 0 3 * * 1-5 *",
        "@weekly": "0 0 * * 0",
        "@every 1h30m": "@every 90m",
    }
    for text, shown in takes.items():
        name = uuid4().hex
        action = ScheduleActionStartWorkflow("None", id=name, task_queue=name)
        spec = ScheduleSpec(cron_expressions=[text], time_zone_name="Europe/Berlin")
        handle = await client.create_schedule(
            name, Schedule(action=action, spec=spec, state=ScheduleState(paused=True))
        )
        described = await handle.describe()
        await handle.delete()
        assert spelled_spec(described.schedule.spec) == shown
        ours = list(islice(read_cron(text, NOW).after(datetime.now(UTC), BERLIN), 3))
        assert list(described.info.next_action_times[:3]) == ours


def test_a_zone_that_is_none_is_told_with_those_written_alike() -> None:
    assert known_zone("Europe/Berlin") == "Europe/Berlin"
    for wrong, meant in (
        ("Europe/Berln", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("berlin", "Europe/Berlin"),
    ):
        with pytest.raises(Misused, match="There is no time zone") as refused:
            known_zone(wrong)
        assert meant in refused.value.next_step
    with pytest.raises(Misused, match="There is no time zone"):
        known_zone("localtime")


def test_a_machine_without_a_list_of_zones_leaves_it_to_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cron, "available_timezones", set[str])
    assert known_zone("Europe/Berln") == "Europe/Berln"
    assert zone_here("Europe/Berln") is UTC


def test_an_interval_the_ui_made_reads_as_one() -> None:
    spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=2), offset=timedelta(hours=3))])
    assert spelled_spec(spec) == "@every 2d after 3:00:00"
