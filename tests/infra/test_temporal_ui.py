"""A person decides in the real Temporal Web UI, in Debian's Chromium. `PAWL_PICTURES=docs/pictures` renews the pictures
of the docs while this runs."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.infra.running import Up, start_ticket

pytestmark = [pytest.mark.server, pytest.mark.sandbox]
PATIENCE_MS = 60_000


@pytest.fixture
def page() -> Iterator[Page]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "Chromium is missing: `make test` installs it, or `sudo apt-get install -y chromium`."
    with sync_playwright() as playwright:
        # No sandbox of its own: root has none there, and it opens nothing but the server of this test.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1400, "height": 1000})
        opened.set_default_timeout(PATIENCE_MS)
        yield opened
        browser.close()


def picture(page: Page, name: str) -> None:
    """Kept only where somebody asks for it."""
    if folder := os.environ.get("PAWL_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def send_signal(page: Page, name: str, payload: str = "") -> None:
    page.get_by_role("button", name="More Actions").click()
    page.get_by_role("menuitem", name="Send a Signal").click()
    dialog = page.get_by_role("dialog").filter(has_text="Send a Signal")
    dialog.get_by_test_id("signal-select-button").click()
    picture(page, "send-a-signal")
    dialog.get_by_role("option").filter(has_text=name).first.click()
    if payload:
        dialog.locator(".cm-content").click()
        page.keyboard.insert_text(payload)  # typed, the editor would close every bracket once more
        dialog.get_by_text("Encoding").click()  # the editor unfolds what it has, and what is below moves away
    dialog.get_by_role("button", name="Submit").click()
    expect(dialog).to_be_hidden(timeout=PATIENCE_MS)


def shown(page: Page, *words: str) -> None:
    """The ticket's own page says all of it, soon; R reads it anew, as it says itself. The Markdown stands in frames
    of their own."""
    page.get_by_role("tab", name="User Metadata").or_(page.get_by_role("link", name="User Metadata")).first.click()
    missing = list(words)
    for _ in range(PATIENCE_MS // 1_000):
        page.wait_for_timeout(1_000)
        said = "".join(frame.locator("body").text_content() or "" for frame in page.frames)
        missing = [text for text in words if text not in said]
        if not missing:
            return
        page.keyboard.press("r")
    raise AssertionError(f"The page does not say {missing}.")


def test_a_plan_and_a_pull_request_are_decided_in_the_web_ui(up: Up, tmp_path: Path, page: Page) -> None:
    started = start_ticket(up, tmp_path, "SEEN-1", "--detach").json
    waiting = up.until_phase("SEEN-1", "Plan gate")["status"]
    page.goto(started["ui"])
    shown(page, "Waiting for your approval of the plan", waiting["subject"], "A greeting.")
    picture(page, "plan-gate")

    send_signal(page, "approve", f'{{"by": "Ada", "of": "{"0" * 12}"}}')
    shown(page, "approve was not accepted. Stale")
    assert up.until_phase("SEEN-1", "Plan gate")["status"]["subject"] == waiting["subject"]

    send_signal(page, "approve", f'{{"by": "Ada", "of": "{waiting["subject"]}"}}')
    up.until_phase("SEEN-1", "Merge gate")
    shown(page, "Waiting for your approval of the pull request")
    send_signal(page, "approve")
    ended = up.until_phase("SEEN-1", "Done")
    assert ended["outcome"]["approved_by"] == "Ada"
