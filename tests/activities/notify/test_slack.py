"""Notes in Slack: one message per ticket, edited; said once whatever gets lost; and nothing in a text that acts."""

import asyncio
import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.notify.slack import SlackNotify
from activities.slack.calls import SlackCalls
from tests.fakes import slack as fake
from tests.fakes.service import Fault
from tests.fakes.slack import BOT_TOKEN, CHANNEL, OPS, TEAM, FakeSlack, shown_of
from tests.fakes.slack_rules import Json
from workflows.domain.chat import APPROVE, REQUEST_CHANGES, Bound, Place, SlackChannel, Waiting
from workflows.domain.failures import Failure
from workflows.domain.ticket import Phase, TicketRef
from workflows.ports.notify import Digest, Note

REF = TicketRef(tracker="linear", id="9f3c")
HASH = "3f2a9c1055e1"


@pytest.fixture
async def slack() -> AsyncGenerator[FakeSlack]:
    async with fake.running() as slack:
        yield slack
    assert not slack.called


def notifier(slack: FakeSlack, token: str = BOT_TOKEN) -> SlackNotify:
    channels = (SlackChannel(channel=CHANNEL, tracker="linear", team="ENG"),)
    return SlackNotify(SlackCalls(token, slack.api, timeout=5), "slack", channels, OPS)


def note(key: str = "acc/plan-1", phase: Phase = Phase.PLAN_GATE, subject: str = HASH, **more: object) -> Note:
    fields = {
        "text": "Waiting for your approval of the plan",
        "title": "Fix the login loop",
        "ticket": REF,
        "body": "The plan.",
    }
    return Note.model_validate(
        {"key": key, "identifier": "ENG-12", "phase": phase, "subject": subject, **fields, **more}
    )


def buttons(message: Json) -> list[Json]:
    return [element for block in message["blocks"] if block["type"] == "actions" for element in block["elements"]]


async def test_a_ticket_has_one_message_that_is_edited_and_a_thread_with_the_details(slack: FakeSlack) -> None:
    told = notifier(slack)
    await told.post_note(note(body="# The plan\n\n- first"))
    (head,) = slack.roots()
    assert "*ENG-12* Fix the login loop" in shown_of(head)
    assert [one["action_id"] for one in buttons(head)] == [APPROVE, REQUEST_CHANGES]
    bound = Bound.read(buttons(head)[0]["value"])
    assert bound
    assert (bound.ref, bound.subject) == (REF, HASH)
    await told.post_note(note("acc/done-9", Phase.DONE, "", text="Merged.", url="https://forge/pr/1"))
    assert slack.roots() == [head]
    assert not buttons(head)
    assert "Merged." in shown_of(head)
    assert "*The plan*\n\n• first" in shown_of(slack.replies(CHANNEL, head["ts"])[0])
    assert len(slack.replies(CHANNEL, head["ts"])) == 2


async def test_a_digest_is_said_once_in_the_ops_channel_and_not_when_nothing_waits(
    slack: FakeSlack,
) -> None:
    at = datetime(2026, 1, 3, tzinfo=UTC)
    waiting = Waiting(identifier="ENG-12", phase=Phase.PLAN_GATE, since=at - timedelta(days=2))
    for key, what in (("quiet", ()), ("monday", (waiting,)), ("monday", (waiting,))):
        await notifier(slack).post_digest(Digest(key=key, at=at, waiting=what))
    assert not slack.roots(CHANNEL)
    (said,) = slack.roots(OPS)
    assert "ENG-12" in shown_of(said)
    assert "for 2 days" in shown_of(said)


async def test_an_answer_to_somebody_leaves_the_buttons_there(slack: FakeSlack) -> None:
    told = notifier(slack)
    for one in (note(), note("a/answer", Phase.PLAN_GATE, "", body="", text="approve was not accepted. Stale.")):
        await told.post_note(one)
    (head,) = slack.roots()
    assert buttons(head)
    assert "Stale." in shown_of(slack.replies(CHANNEL, head["ts"])[1])


async def test_each_gate_shows_its_own_hash_and_a_question_only_an_answer(slack: FakeSlack) -> None:
    told = notifier(slack)
    await told.post_note(note())
    await told.post_note(note("acc/merge-2", Phase.MERGE_GATE, "aaaaaaaaaaaa"))
    bound = Bound.read(buttons(slack.roots()[0])[0]["value"])
    assert bound
    assert bound.subject == "aaaaaaaaaaaa"
    await told.post_note(note("acc/question-3", Phase.QUESTION))
    assert [one["text"]["text"] for one in buttons(slack.roots()[0])] == ["Answer"]


async def test_many_notes_at_once_leave_one_message_and_each_detail_once(slack: FakeSlack) -> None:
    told = notifier(slack)
    await asyncio.gather(*(told.post_note(note(f"acc/{n % 4}")) for n in range(12)))
    (head,) = slack.roots()
    assert len(slack.replies(CHANNEL, head["ts"])) == 4


@pytest.mark.parametrize("nth", range(1, 4))
@pytest.mark.parametrize("after", [True, False], ids=["reply lost", "cut before"])
async def test_said_once_whichever_write_is_cut(slack: FakeSlack, nth: int, after: bool) -> None:
    """The writes of a second note, of a ticket that is new to Slack and of one that is not, each cut once."""
    calls = ["chat.postMessage", "chat.postMessage", "chat.update"]
    notes = [note("a/1"), note("a/2", Phase.MERGE_GATE, "bbbbbbbbbbbb")]
    at = calls[nth - 1]
    if nth == 2:
        await notifier(slack).post_note(notes[0])
    slack.faults.add(Fault(at=at, after=after))
    for one in notes:
        for _ in range(3):  # as Temporal does, by workers that remember nothing
            try:
                await notifier(slack).post_note(one)
                break
            except ApplicationError as error:
                if error.non_retryable:
                    raise
    (head,) = slack.roots()
    assert len(slack.replies(CHANNEL, head["ts"])) == 2
    assert "Merge gate" in head["text"]


async def test_a_note_that_is_told_again_later_does_not_bring_old_buttons_back(slack: FakeSlack) -> None:
    told = notifier(slack)
    for one in (note("a/1"), note("a/2", Phase.DONE, ""), note("a/1")):
        await told.post_note(one)
    assert not buttons(slack.roots()[0])


async def test_what_another_worker_posted_is_found_on_a_later_page(slack: FakeSlack) -> None:
    slack.page = 3
    await notifier(slack).post_note(note("a/1"))
    for n in range(10):
        slack.say(CHANNEL, "U0ADA", f"chatter {n}")
    await notifier(slack).post_note(note("a/2", Phase.DONE, ""))
    assert len([one for one in slack.roots() if one.get("metadata")]) == 1


async def test_somebody_elses_metadata_is_not_taken_for_ours(slack: FakeSlack) -> None:
    forged = {"event_type": "pawl", "event_payload": {"key": f"ticket:{REF.key}", "told": ""}}
    slack.say(CHANNEL, "U0EVE", "mine now", metadata=forged)
    await notifier(slack).post_note(note())
    assert len(slack.roots()) == 2


async def test_a_message_that_people_deleted_is_made_again(slack: FakeSlack) -> None:
    told = notifier(slack)
    await told.post_note(note("a/1"))
    slack.channels[CHANNEL].clear()
    await told.post_note(note("a/2"))
    assert len(slack.roots()) == 1


async def test_a_ticket_kept_in_slack_is_told_of_in_its_own_thread(slack: FakeSlack) -> None:
    root = slack.say(CHANNEL, "U0ADA", "Fix the login loop")
    ref = TicketRef(tracker="slack", id=Place(TEAM, CHANNEL, root["ts"]).id)
    for one in (note("a/1", ticket=ref), note("a/2", Phase.DONE, "", ticket=ref), note("a/1", ticket=ref)):
        await notifier(slack).post_note(one)
    assert slack.roots() == [root]
    (head,) = slack.replies(CHANNEL, root["ts"])
    assert "Done" in head["text"]


async def test_alarms_go_to_the_ops_channel_as_well_once(slack: FakeSlack) -> None:
    told = notifier(slack)
    alarm = note("a/1", Phase.BLOCKED, "", alarm=True, text="Blocked", body="The key is refused.")
    await asyncio.gather(told.post_note(alarm), told.post_note(alarm))
    assert len(slack.roots(OPS)) == len(slack.roots(CHANNEL)) == 1
    assert "The key is refused." in shown_of(slack.roots(OPS)[0])


@pytest.mark.parametrize(("identifier", "tracker"), [("OPS-1", "linear"), ("ENG-1", "github")])
async def test_a_channel_hears_only_of_its_own_team(slack: FakeSlack, identifier: str, tracker: str) -> None:
    ref = TicketRef(tracker=tracker, id="1")
    await notifier(slack).post_note(note().model_copy(update={"identifier": identifier, "ticket": ref}))
    assert not slack.roots()


@pytest.mark.parametrize(
    "hostile",
    [
        "<!channel> <!here> <@U0ADA> <#C0OPS> @channel @here @everyone",
        "[<!channel>](https://evil/<!here>) `<!channel>` **<@U0ADA>**",
        "```\n<!channel>\n``` <!everyone>",
        "<https://evil.example|https://bank.example> &lt;!channel&gt;",
        "\u202e<!channel>\x00",
        "&" * 60_000,
        "<!channel>\n" * 9_000,
        "`" * 30_000,
    ],
    ids=range(8),
)
async def test_a_hostile_text_calls_nobody_and_fits(slack: FakeSlack, hostile: str) -> None:
    await notifier(slack).post_note(note(text=hostile, title=hostile, body=hostile, alarm=True, url=hostile))
    everything = str(slack.channels)
    assert not slack.called
    assert "<!channel>" not in everything
    assert not re.search(r"<[^<>]*\|(?!open>)", everything), "a link that is called something else"


async def test_a_long_plan_is_cut_with_a_notice(slack: FakeSlack) -> None:
    await notifier(slack).post_note(note(body="A line of the plan.\n" * 5_000))
    (details,) = slack.replies(CHANNEL, slack.roots()[0]["ts"])
    assert shown_of(details).endswith("[cut: the rest is on the ticket]_")


async def test_temporal_waits_as_long_as_slack_asks(slack: FakeSlack) -> None:
    slack.limits["chat.postMessage"] = 17
    with pytest.raises(ApplicationError) as caught:
        await notifier(slack).post_note(note())
    assert caught.value.next_retry_delay == timedelta(seconds=17)
    assert not caught.value.non_retryable
    assert sum("chat.postMessage" in asked for asked in slack.faults.seen) == 1


@pytest.mark.parametrize("status", [0, 500, 503])
async def test_what_passes_is_tried_again(slack: FakeSlack, status: int) -> None:
    slack.faults.add(Fault(at="auth.test", status=status, body=b"<html>"))
    with pytest.raises(ApplicationError) as caught:
        await notifier(slack).post_note(note())
    assert not caught.value.non_retryable


async def test_wrong_credentials_stop_and_are_not_shown_of(slack: FakeSlack) -> None:
    with pytest.raises(ApplicationError) as caught:
        await notifier(slack, "xoxb-wrong-one").post_note(note())
    assert caught.value.non_retryable
    assert caught.value.type == Failure.BAD_CREDENTIALS
    assert "xoxb-wrong-one" not in str(caught.value)
    assert "xoxb-wrong-one" not in repr(notifier(slack, "xoxb-wrong-one"))


async def test_a_channel_without_pawl_says_what_to_do(slack: FakeSlack) -> None:
    del slack.channels[CHANNEL]
    with pytest.raises(ApplicationError, match="invite Pawl") as caught:
        await notifier(slack).post_note(note())
    assert caught.value.non_retryable


async def test_a_call_is_made_once_and_temporal_tries_again() -> None:
    calls = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/"
    with pytest.raises(ApplicationError, match="cannot be reached") as caught:
        await SlackNotify(SlackCalls(BOT_TOKEN, url), "slack", (), OPS).post_note(note(alarm=True))
    server.close()
    await server.wait_closed()
    assert not caught.value.non_retryable
    assert calls == 1
