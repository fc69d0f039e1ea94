"""What waits for people is told by a schedule's run, and nothing is said when nothing waits."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from infra.runner import workflow_runner
from tests.workflows.intakes import UnaskedIntake
from workflows.digest import DigestFlow
from workflows.domain.chat import Waiting
from workflows.domain.ticket import Phase
from workflows.ports.notify import Digest, Note, Notify

pytestmark = pytest.mark.server
WAITS = Waiting(identifier="ENG-1", phase=Phase.PLAN_GATE, since=datetime(2026, 1, 1, tzinfo=UTC))


@dataclass
class Waits(UnaskedIntake):
    waiting: list[Waiting]

    @activity.defn
    async def list_waiting(self) -> list[Waiting]:
        return self.waiting


@dataclass
class Heard(Notify):
    digests: list[Digest] = field(default_factory=list[Digest])

    @activity.defn
    async def post_note(self, note: Note) -> None:
        raise AssertionError("a digest is no note")

    @activity.defn
    async def post_digest(self, digest: Digest) -> None:
        self.digests.append(digest)


@pytest.mark.parametrize("waiting", [[], [WAITS]], ids=["nothing waits", "one waits"])
async def test_what_waits_is_told_and_nothing_is_said_when_nothing_does(client: Client, waiting: list[Waiting]) -> None:
    heard, queue = Heard(), f"digest-{uuid4().hex}"
    steps = [*Waits(waiting).activities(), *heard.activities()]
    async with Worker(
        client, task_queue=queue, workflows=[DigestFlow], activities=steps, workflow_runner=workflow_runner()
    ):
        count = await client.execute_workflow(DigestFlow.run, id=queue, task_queue=queue)
    assert (count, [told for digest in heard.digests for told in digest.waiting]) == (len(waiting), waiting)
