"""Agent sessions: the first sign before anything else, questions that name what is decided, an end, each once."""

import pytest
from temporalio.exceptions import ApplicationError

from tests.activities.tracker.linear.desk import Desk
from tests.fakes.linear.rows import Row
from tests.fakes.service import Fault
from workflows.domain.ticket import Phase
from workflows.ports.tracker import ClaimTicket, LinkTicket, MoveTicket, PostComment, Remark, ShowProgress

HASH = "3f786850e387550fdab836ed7e6dc881de23001b"


def opened(desk: Desk) -> tuple[Row, Row]:
    issue = desk.linear.file(desk.team, "One", column="Agent Todo")
    session = desk.linear.delegate(issue, desk.linear.us)
    assert session is not None
    return issue, session


def heard(session: Row) -> list[tuple[str, str]]:
    contents = [activity["content"] for activity in session["activities"]]
    return [(content["type"], content.get("body") or content["action"]) for content in contents]


def arrive(desk: Desk, issue: Row, to: Phase, text: str, subject: str = "") -> MoveTicket:
    return MoveTicket(ref=desk.ref(issue), to=to, subject=subject, remark=Remark(key=f"at {to} {text}", text=text))


async def test_the_first_sign_comes_before_anything_is_changed(desk: Desk) -> None:
    issue, session = opened(desk)
    claim = ClaimTicket(ref=desk.ref(issue), account="a")
    await desk.tracker.claim_ticket(claim)
    await desk.tracker.claim_ticket(claim)
    writes = [name for name in desk.linear.asked if name not in ("viewer", "issue")]
    assert writes[0] == "agentActivityCreate"
    assert [kind for kind, _ in heard(session)] == ["thought"]
    assert session["status"] == "active"


async def test_a_session_of_a_ticket_that_is_blocked_ends_and_says_why(desk: Desk) -> None:
    blocker = desk.linear.file(desk.team, "First")
    issue, session = opened(desk)
    desk.linear.block(issue, blocker)
    for _ in range(2):
        with pytest.raises(ApplicationError, match="blocked by ENG-1"):
            await desk.tracker.claim_ticket(ClaimTicket(ref=desk.ref(issue), account="a"))
    assert heard(session)[1:] == [("error", "ENG-2 is blocked by ENG-1. It can be started when that is done.")]
    assert session["status"] == "error"


async def test_another_run_does_not_end_the_session_of_the_one_that_works(desk: Desk) -> None:
    issue, session = opened(desk)
    await desk.tracker.claim_ticket(ClaimTicket(ref=desk.ref(issue), account="a"))
    with pytest.raises(ApplicationError, match="held by a"):
        await desk.tracker.claim_ticket(ClaimTicket(ref=desk.ref(issue), account="b"))
    assert session["status"] == "active"


async def test_at_a_gate_people_choose_and_the_answers_name_the_hash(desk: Desk) -> None:
    issue, session = opened(desk)
    await desk.tracker.move_ticket(arrive(desk, issue, Phase.PLAN_GATE, "The plan.", HASH))
    assert (session["status"], heard(session)) == ("awaitingInput", [("elicitation", "The plan.")])
    asked = session["activities"][0]
    assert asked["signal"] == "select"
    assert [option["value"] for option in asked["signalMetadata"]["options"]] == [
        f"approve {HASH}",
        f"request-changes {HASH}",
    ]
    assert not issue["comments"]


async def test_a_reminder_at_a_gate_leaves_the_session_waiting_for_the_answer(desk: Desk) -> None:
    issue, session = opened(desk)
    await desk.tracker.move_ticket(arrive(desk, issue, Phase.PLAN_GATE, "The plan.", HASH))
    remark = Remark(key="remind", text="Reminder.")
    comment = PostComment(ref=desk.ref(issue), remark=remark, at=Phase.PLAN_GATE, subject=HASH)
    for _ in range(2):
        await desk.tracker.post_comment(comment)
    assert session["status"] == "awaitingInput"
    assert heard(session)[1:] == [("elicitation", "Reminder.")]
    assert session["activities"][1]["signalMetadata"] == session["activities"][0]["signalMetadata"]


async def test_a_question_is_answered_in_words(desk: Desk) -> None:
    issue, session = opened(desk)
    await desk.tracker.move_ticket(arrive(desk, issue, Phase.QUESTION, "Which one?", "abc"))
    assert (session["status"], session["activities"][0].get("signal")) == ("awaitingInput", None)


@pytest.mark.parametrize(
    ("end", "kind", "status"),
    [
        (Phase.DONE, "response", "complete"),
        (Phase.CANCELLED, "response", "complete"),
        (Phase.TODO, "response", "complete"),
        (Phase.GAVE_UP, "error", "error"),
    ],
)
@pytest.mark.parametrize("silent", [False, True])
async def test_an_end_is_the_last_word(desk: Desk, end: Phase, kind: str, status: str, silent: bool) -> None:
    issue, session = opened(desk)
    move = arrive(desk, issue, end, "That was it.")
    for _ in range(2):
        await desk.tracker.move_ticket(move.model_copy(update={"remark": None}) if silent else move)
    assert heard(session) == [(kind, f"{end}." if silent else "That was it.")]
    assert (session["status"], issue["comments"]) == (status, [])


async def test_the_plan_of_the_session_follows_the_phase(desk: Desk) -> None:
    issue, session = opened(desk)
    seen: list[list[str]] = []
    for phase in (Phase.PLANNING, Phase.BUILDING, Phase.QUESTION, Phase.REVIEWING, Phase.MERGE_GATE, Phase.DONE):
        await desk.tracker.move_ticket(arrive(desk, issue, phase, str(phase)))
        seen.append([step["status"] for step in session["plan"]])
    assert [step["content"] for step in session["plan"]] == ["Plan", "Build", "Review", "Merge"]
    doing, done, todo = "inProgress", "completed", "pending"
    assert seen == [
        [doing, todo, todo, todo],
        [done, doing, todo, todo],
        [done, doing, todo, todo],
        [done, done, doing, todo],
        [done, done, done, doing],
        [done, done, done, done],
    ]
    assert desk.linear.asked.count("agentSessionUpdate") == 5


async def test_what_pawl_is_at_is_replaced_and_what_it_did_stays(desk: Desk) -> None:
    issue, session = opened(desk)
    await desk.tracker.move_ticket(MoveTicket(ref=desk.ref(issue), to=Phase.BUILDING))
    assert heard(session) == [("action", "Building")]
    progress = ShowProgress(ref=desk.ref(issue), key="p1", phase=Phase.BUILDING, lines=("Read it.", "Changed it."))
    await desk.tracker.show_progress(progress)
    await desk.tracker.show_progress(progress)
    await desk.tracker.post_comment(PostComment(ref=desk.ref(issue), remark=Remark(key="c", text="By the way.")))
    assert heard(session) == [("thought", "Read it.\n\nChanged it."), ("thought", "By the way.")]


@pytest.mark.parametrize("after", [True, False], ids=["reply lost", "request lost"])
@pytest.mark.parametrize("operation", ["agentActivityCreate", "agentActivity", "agentSessionUpdate"])
async def test_words_in_a_session_are_said_once(desk: Desk, operation: str, after: bool) -> None:
    issue, session = opened(desk)
    desk.linear.http.add(Fault(at=f"graphql {operation}", after=after))
    for _ in range(3):
        try:
            await desk.tracker.move_ticket(arrive(desk, issue, Phase.DONE, "Merged."))
        except ApplicationError as error:
            assert not error.non_retryable  # noqa: PT017  # the workflow would try again
    assert heard(session) == [("response", "Merged.")]
    assert not issue["comments"]


async def test_where_the_session_has_ended_or_is_somebody_elses_pawl_comments(desk: Desk) -> None:
    issue, session = opened(desk)
    await desk.tracker.move_ticket(arrive(desk, issue, Phase.DONE, "Merged."))
    other = desk.linear.person("rival", app=True)
    desk.linear.session(issue, desk.linear.ada)["appUser"] = other
    await desk.tracker.post_comment(PostComment(ref=desk.ref(issue), remark=Remark(key="c", text="One more thing.")))
    assert [row["body"] for row in issue["comments"]] == ["One more thing."]
    assert len(session["activities"]) == 1


async def test_a_link_is_shown_in_the_session_too(desk: Desk) -> None:
    issue, session = opened(desk)
    link = LinkTicket(ref=desk.ref(issue), url="https://git.acme.test/pull/7", title="Pull request 7")
    for _ in range(2):
        await desk.tracker.link_ticket(link)
    assert session["externalLinks"] == [{"url": link.url, "label": "Pull request 7"}]
