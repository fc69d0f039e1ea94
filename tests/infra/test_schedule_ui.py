"""A schedule in the real Temporal Web UI, in Debian's Chromium: seen, paused, resumed, triggered and run for the past.
`PAWL_PICTURES=docs/pictures` renews the pictures of the docs while this runs."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Locator, Page, async_playwright, expect
from temporalio.client import Client, ScheduleDescription, ScheduleHandle

from infra import home
from infra.cron import spelled_spec
from infra.payloads import DATA_CONVERTER
from infra.settings import Settings
from tests.infra.command_line import ROOT, environment
from tests.infra.loops import Typed, Work, working
from workflows.domain.loop import Round

pytestmark = pytest.mark.server
PATIENCE_MS = 60_000
REPOSITORY = "https://github.com/acme/shop"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a Temporal server with its UI, as `pawl server` runs it."""
    folder = tmp_path_factory.mktemp("served")
    with (folder / "heard.jsonl").open("w") as heard:
        running = subprocess.Popen(
            [sys.executable, str(ROOT / "starter.py"), "server"], stdout=heard, stderr=heard, env=environment(folder)
        )
    try:
        deadline = time.monotonic() + 120
        while '{"up"' not in (said := (folder / "heard.jsonl").read_text()):
            assert time.monotonic() < deadline, said
            assert running.poll() is None, said
            time.sleep(0.1)
        yield folder
    finally:
        running.terminate()
        running.wait(timeout=60)


@pytest.fixture
async def page() -> AsyncGenerator[Page]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "Chromium is missing: `make test` installs it, or `sudo apt-get install -y chromium`."
    async with async_playwright() as playwright:
        # No sandbox of its own: root has none there, and it opens nothing but the server of this test.
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = await browser.new_page(viewport={"width": 1400, "height": 1100})
        opened.set_default_timeout(PATIENCE_MS)
        yield opened
        await browser.close()


@dataclass
class Shown:
    """A schedule's page in the UI, and the schedule itself."""

    page: Page
    handle: ScheduleHandle
    work: Work
    typed: Typed

    async def picture(self, name: str) -> None:
        """Kept only where somebody asks for it."""
        if folder := os.environ.get("PAWL_PICTURES"):
            await self.page.screenshot(path=Path(folder) / f"{name}.png")

    async def until(self, holds: Callable[[ScheduleDescription], object]) -> ScheduleDescription:
        """The schedule, as Temporal's client sees it, once that holds."""
        for _ in range(PATIENCE_MS // 200):
            described = await self.handle.describe()
            if holds(described):
                return described
            await asyncio.sleep(0.2)
        raise AssertionError("Temporal's client sees another schedule.")

    async def choose(self, action: str) -> Locator:
        """The dialog of an action in the menu beside the button."""
        await self.page.get_by_role("button", name="Schedule Actions").click()
        await self.page.get_by_role("menuitem", name=action).click()
        return self.page.get_by_role("dialog").filter(has_text=action)

    async def reads(self, *words: str) -> None:
        for text in words:
            await expect(self.page.locator("main").get_by_text(text).first).to_be_visible(timeout=PATIENCE_MS)


@pytest.fixture
async def shown(served: Path, page: Page, tmp_path: Path) -> AsyncGenerator[Shown]:
    server = home.server_file(Settings(home=served))
    assert server
    client = await Client.connect(server.address, data_converter=DATA_CONVERTER)
    typed = Typed(served, server.address)
    async with working(client, tmp_path) as work:
        work.answer = Round(says="Nothing was found.")
        times = ("--cron", "0 3 * * 1-5", "--timezone", "Europe/Berlin")
        named = ("--note", "Nightly triage of acme/shop. Ada knows more.", "--model", "anthropic:claude-haiku-4-5")
        made = await typed("triage", "--repo", REPOSITORY, *times, *named)
        assert made.code == 0, made.out
        handle = client.get_schedule_handle(made.json["name"])
        await page.goto(made.json["ui"])
        yield Shown(page, handle, work, typed)
        await handle.delete()


async def test_it_is_paused_and_resumed_in_the_ui(shown: Shown) -> None:
    await shown.reads(shown.handle.id, "Nightly triage of acme/shop. Ada knows more.", "Europe/Berlin")
    await shown.picture("schedule")
    await shown.page.get_by_role("button", name="Pause", exact=True).click()
    dialog = shown.page.get_by_role("dialog").filter(has_text="Pause Schedule?")
    await dialog.get_by_role("textbox").fill("The CI is being moved. Ada resumes it on Monday.")
    await shown.picture("schedule-pause")
    await dialog.get_by_role("button", name="Pause").click()
    described = await shown.until(lambda now: now.schedule.state.paused)
    assert described.schedule.state.note == "The CI is being moved. Ada resumes it on Monday."
    await shown.reads("The CI is being moved. Ada resumes it on Monday.")

    await shown.page.get_by_role("button", name="Unpause", exact=True).click()
    dialog = shown.page.get_by_role("dialog").filter(has_text="Unpause Schedule?")
    await dialog.get_by_role("textbox").fill("It was moved.")
    await dialog.get_by_role("button", name="Unpause").click()
    described = await shown.until(lambda now: not now.schedule.state.paused)
    assert described.schedule.state.note == "It was moved."
    again = (await shown.typed("triage", "--repo", REPOSITORY, "--jitter", "5m")).json
    assert (again["note"], again["cron"]) == ("It was moved.", "0 3 * * 1-5"), "what the UI wrote stays"


async def test_times_that_are_edited_in_the_ui_stay(shown: Shown) -> None:
    await shown.page.get_by_role("button", name="Schedule Actions").click()
    await shown.page.get_by_role("menuitem", name="Edit").click()
    await shown.page.get_by_role("tab", name="String").click()
    await shown.page.locator("#cronString").fill("30 1 * * 6")
    await shown.page.get_by_role("button", name="Save").click()
    described = await shown.until(lambda now: spelled_spec(now.schedule.spec) == "30 1 * * 6")
    assert described.schedule.spec.time_zone_name == "Europe/Berlin"
    again = (await shown.typed("triage", "--repo", REPOSITORY)).json
    assert (again["fresh"], again["cron"]) == (False, "30 1 * * 6")
    assert again["note"].startswith("Nightly triage")


async def test_it_is_triggered_and_run_for_the_past_in_the_ui(shown: Shown) -> None:
    dialog = await shown.choose("Trigger")
    await dialog.get_by_role("button", name="Trigger").click()
    await shown.until(lambda now: now.info.num_actions == 1 and shown.work.asked and not now.info.running_actions)
    assert len(shown.work.asked) == 1

    dialog = await shown.choose("Backfill")
    for which, day, (hour, minute) in ((0, "10", ("0", "0")), (1, "16", ("23", "59"))):  # of the UI's UTC
        await dialog.get_by_test_id("datepicker").nth(which).click()
        await dialog.get_by_role("button", name="Previous Month").click()
        await dialog.get_by_role("button", name=day, exact=True).click()
        await dialog.get_by_test_id("hour").nth(which).fill(hour)
        await dialog.get_by_test_id("minute").nth(which).fill(minute)
    await dialog.get_by_text("Buffer All").click()
    await shown.picture("schedule-backfill")
    await dialog.get_by_role("button", name="Schedule", exact=True).click()
    await shown.until(lambda now: now.info.num_actions == 6 and not now.info.running_actions)
    nights = [datetime.fromisoformat(at).astimezone(ZoneInfo("Europe/Berlin")) for at in shown.work.moments[1:]]
    assert len(nights) == 5, "seven days of which five are weekdays"
    assert nights == sorted(nights)
    assert {(at.isoweekday(), at.hour, at.minute) for at in nights} == {(day, 3, 0) for day in range(1, 6)}
    await shown.page.reload()
    await shown.reads("6 Workflows")
    await shown.picture("schedule-runs")
