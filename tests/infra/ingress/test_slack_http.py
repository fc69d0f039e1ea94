"""Slack through the real ingress: what Slack sees as answers, and what the ticket hears."""

from collections.abc import AsyncGenerator
from uuid import uuid4

import httpx
import pytest
from temporalio.client import Client

from infra.ingress.app import Ingress
from infra.slack.hands import Hands
from tests.fakes import slack as fake
from tests.fakes.service import no_kept_connections, serving
from tests.fakes.slack import BOT_TOKEN, FakeSlack
from tests.fakes.slack_person import Person, Signed, as_form, as_interaction, as_json, signed
from tests.infra.ingress.recorder import Recorder, ended
from tests.infra.ingress.slack_desk import HASH, door, gate, working
from workflows import names
from workflows.domain.chat import APPROVE, REQUEST_CHANGES
from workflows.domain.intake import Terms
from workflows.domain.order import TicketOrder
from workflows.domain.ticket import TicketRef

pytestmark = pytest.mark.server


@pytest.fixture
async def slack() -> AsyncGenerator[FakeSlack]:
    async with fake.running() as slack:
        yield slack


async def sent(http: httpx.AsyncClient, url: str, request: Signed) -> httpx.Response:
    return await http.post(f"{url}/hooks/slack", content=request.body, headers=request.headers)


async def test_a_decision_reaches_its_ticket_once_and_a_modal_opens(client: Client, slack: FakeSlack) -> None:
    ada, ref = Person(slack, f"U{uuid4().hex[:10].upper()}"), TicketRef(tracker="linear", id=uuid4().hex)
    hands = Hands(BOT_TOKEN, slack.api, slack.url)
    order = TicketOrder(ref=ref, identifier="ENG-12", repository="/src", model="m:x")
    app = Ingress([door(hands=hands)], Terms(), client).app()
    async with working(client, slack), serving(app) as url, no_kept_connections() as http:
        handle = await client.start_workflow(
            Recorder.run, order, id=names.ticket_workflow_id(ref), task_queue=names.WORK
        )
        head = await gate(slack, ref=ref)
        press = as_interaction(ada.press(head, APPROVE))
        assert {(await sent(http, url, press)).status_code for _ in range(3)} == {200}
        assert (await sent(http, url, as_interaction(ada.press(head, REQUEST_CHANGES)))).content == b""
        await hands.close()
        submitted = await sent(http, url, as_interaction(ada.submit(slack.views[0], "smaller")))
        assert (submitted.status_code, submitted.content) == (200, b"")
        note = head["blocks"][-1]["block_id"].removeprefix("pawl-")
        pressed, typed = f"slack:{note}:{APPROVE}:{ada.id}:{HASH}", f"slack:view:{slack.views[0]['id']}"
        for one in (pressed, typed):
            await client.get_workflow_handle(f"heard:slack:{one}").result()
        heard = await ended(client, handle.id)
    assert heard == [
        f"slack:{ada.id} said {pressed}: approve {HASH}",
        f"slack:{ada.id} said {typed}: request changes {HASH}: smaller",
    ]


async def test_slack_gets_the_answers_it_needs(client: Client, slack: FakeSlack) -> None:
    ada = Person(slack)
    async with serving(Ingress([door()], Terms(), client).app()) as url, no_kept_connections() as http:
        asked = await sent(http, url, as_json({"type": "url_verification", "challenge": "3eZ"}))
        assert (asked.status_code, asked.json()) == (200, {"challenge": "3eZ"})
        helped = await sent(http, url, as_form(ada.command("help")))
        assert helped.headers["content-type"] == "application/json"
        assert helped.json()["response_type"] == "ephemeral"
        assert (await sent(http, url, signed(b"{}", secret="another"))).status_code == 401
        assert (await sent(http, url, signed(b"{}", at=1))).status_code == 401
        assert (await sent(http, url, signed(b"["))).status_code == 400
        assert (await sent(http, url, signed(b" " * 1_100_000))).status_code == 413
