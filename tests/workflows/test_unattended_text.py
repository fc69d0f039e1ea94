"""Over a ticket that passes its gates by itself nobody watches: its card says what triage has written, and no more."""

import pytest

from tests.workflows.conftest import StartTicket
from tests.workflows.pulls import low
from workflows.domain.decision import Action
from workflows.domain.ticket import Attachment, Phase
from workflows.domain.triage import Kind
from workflows.domain.unattended import AuditEntry
from workflows.domain.written import text_digest

pytestmark = pytest.mark.server
WHY = "WORKFLOW.md at 12ab34: triage level 4, kind lint"
FILED = text_digest("Mend the hinge", "")
"""As the card of these worlds is."""
PICTURE = Attachment(name="do-this.png", media_type="image/png", content="sha256:picture")


async def test_with_the_text_it_was_filed_with_it_goes_to_its_end(start: StartTicket) -> None:
    run = await start(low(), unattended=WHY, kind=Kind.LINT, text=FILED)
    assert (await run.outcome()).phase is Phase.DONE


@pytest.mark.parametrize(
    ("text", "attachments"),
    [(text_digest("Mend the hinge", "And nothing else."), ()), (FILED, (PICTURE,))],
    ids=["edited", "a file beside it"],
)
async def test_with_anything_else_on_its_card_people_decide(
    start: StartTicket, text: str, attachments: tuple[Attachment, ...]
) -> None:
    world = low(attachments=attachments)
    run = await start(world, unattended=WHY, kind=Kind.LINT, text=text)
    await run.until(Phase.PLAN_GATE)
    await run.until(lambda _: "A person decides at Plan gate: its card has another text than triage" in world.comments)
    await run.act(Action.REJECT)
    assert (await run.outcome()).phase is Phase.DECLINED
    assert not world.of(AuditEntry)
