"""Every released flow replays its old histories: a change that breaks tickets in flight fails here.

After a change that is meant to differ (behind `workflow.patched`), add a history for the new way and keep the old:
`python -m tests.replay.record STORY`.
"""

from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from infra.payloads import DATA_CONVERTER
from infra.runner import workflow_runner
from tests.replay.after import AFTER
from tests.replay.nights import NIGHTS
from tests.replay.people import PEOPLE
from tests.replay.stories import STORIES
from workflows.loop import Loop
from workflows.session import Session
from workflows.ticket import Ticket
from workflows.triage import Triage

FLOWS = (Ticket, Session, Loop, Triage)
HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def replayer(*flows: type) -> Replayer:
    return Replayer(workflows=flows, data_converter=DATA_CONVERTER, workflow_runner=workflow_runner())


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_kept_history_replays(path: Path) -> None:
    history = WorkflowHistory.from_json(path.stem, path.read_text())
    await replayer(*FLOWS).replay_workflow(history)


def test_every_story_has_a_history() -> None:
    kept = {path.stem.partition(".")[0] for path in HISTORIES}
    assert kept >= {story.__name__ for story in (*STORIES, *PEOPLE, *AFTER, *NIGHTS)}


async def test_a_flow_that_takes_another_way_is_caught() -> None:
    """The check can fail: a history in which another step was taken first does not replay."""
    path = next(path for path in HISTORIES if path.stem == "merged")
    other = WorkflowHistory.from_json("merged", path.read_text().replace('"claim_ticket"', '"another_step"'))
    with pytest.raises(workflow.NondeterminismError):
        await replayer(Ticket, Session).replay_workflow(other)
