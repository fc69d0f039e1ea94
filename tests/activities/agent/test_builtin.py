"""Turns of the built-in agent: over a real gateway, a real journal and real files."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.agent.builtin import BuiltinAgent
from tests.activities.agent.bench import Bench, agent_on, bench, following, in_order, journal_in, says, text, use
from tests.fakes.answers import FakeAnswer
from workflows.domain.session import CloseSession, Limits, Role, TurnEnd
from workflows.ports.journal import EntryKind
from workflows.ports.model import TopUpAccount

At = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[At]:
    """An agent whose model gives these answers, on a base commit of one file a.py."""
    async with AsyncExitStack() as stack:

        async def make(*answers: FakeAnswer) -> Bench:
            return await stack.enter_async_context(bench(tmp_path, in_order(*answers)))

        yield make


def another_worker(b: Bench) -> BuiltinAgent:
    return agent_on(journal_in(b.folder), b.checkouts, b.gateway.runs, b.gateway.url)


async def kinds(bench: Bench, session: str = "t.builder1") -> list[EntryKind]:
    return [entry.kind for entry in await bench.journal.entries(session)]


async def test_a_turn_that_edits_keeps_state_and_is_journaled_step_by_step(at: At) -> None:
    b = await at(says(text("I change it."), use("edit", path="a.py", old="two", new="2")))
    report = await b.agent.take_turn(await b.opened())
    assert (b.files / "a.py").read_text() == "one\n2\n"
    assert report.summary == "edit a.py"
    assert (report.end, report.changed, report.failing_call, report.format_error) == (TurnEnd.WORKING, True, "", False)
    assert report.state is not None
    assert "2" in await b.journal.load_text(report.state)
    assert (report.spend.turns, report.spend.input_tokens, report.spend.cached_tokens) == (1, 140, 40)
    assert report.spend.usd == Decimal("0.000612")  # 100 plain at $3, 40 cached at $0.30, 20 out at $15 per million
    assert await kinds(b) == ["prompt", "answer", "intent", "tool", "state", "turn"]
    (receipt,) = await b.gateway.receipts("t.builder1")
    assert receipt["seq"] == 1
    request = b.sent()
    assert request["stream"] is True
    assert [tool["name"] for tool in request["tools"]] == sorted(tool["name"] for tool in request["tools"])


async def test_a_turn_is_taken_once(at: At) -> None:
    b = await at(says(use("bash", command="echo x >> log")))
    turn = await b.opened()
    first = await b.agent.take_turn(turn)
    assert await b.agent.take_turn(turn) == first
    other_worker = another_worker(b)
    assert await other_worker.take_turn(turn) == first
    await other_worker.close()
    assert b.provider.total == 1
    assert (b.files / "log").read_text() == "x\n"


async def test_the_conversation_grows_turn_by_turn_also_in_a_new_worker(at: At) -> None:
    b = await at(
        says(use("view", path="a.py"), use("bash", command="exit 3")),
        says(use("search", pattern="two")),
        says(use("submit", summary="Done.", risk="low")),
    )
    turn = await b.opened()
    report = await b.agent.take_turn(turn)
    assert report.summary == "view a.py; bash exit 3: exited 3"
    second = following(turn, report, ["Mind the <steering> </steering> gap."])
    report = await b.agent.take_turn(second)
    result, failed, steering = b.news()
    assert result["content"][0]["text"] == "    1  one\n    2  two"
    assert (failed["content"][0]["text"], failed["is_error"]) == ("exited 3", True)
    assert steering["text"] == "<steering>\nMind the &lt;steering> &lt;/steering> gap.\n</steering>"
    other_worker = another_worker(b)
    report = await other_worker.take_turn(following(second, report))
    await other_worker.close()
    assert report.end is TurnEnd.SUBMITTED
    assert report.submission is not None
    assert report.submission.work is not None
    assert report.submission.work.summary == "Done."
    first, then = b.sent(1), b.sent(2)
    assert then["messages"][: len(first["messages"])] == first["messages"]
    assert (first["system"], first["tools"]) == (then["system"], then["tools"])
    steer = [entry.body for entry in await b.journal.entries("t.builder1") if entry.kind is EntryKind.STEER]
    assert steer == ['"Mind the <steering> </steering> gap."']


async def test_a_question_ends_the_turn_and_what_comes_after_it_is_not_run(at: At) -> None:
    b = await at(
        says(use("ask_human", question="Dots or dashes?"), use("edit", path="a.py", old="one", new="1")),
        says(use("submit", summary="ok")),
    )
    turn = await b.opened()
    report = await b.agent.take_turn(turn)
    assert (report.end, report.question, report.changed) == (TurnEnd.ASKED, "Dots or dashes?", False)
    assert (b.files / "a.py").read_text() == "one\ntwo\n"
    order = b.order(after=report.turn, first_turn=2, opening=("Dots.",))
    resumed = (await b.opened(order)).model_copy(update={"steering": order.opening})
    await b.agent.take_turn(resumed)
    assert (await kinds(b)).count(EntryKind.PROMPT) == 1
    asked, not_run, answer = b.news()
    assert "person is asked" in asked["content"][0]["text"]
    assert "Not run" in not_run["content"][0]["text"]
    assert "Dots." in answer["text"]


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (says(text("I am done.")), "called no tool"),
        (says(), "called no tool"),
        (says(use("shell", command="ls")), "There is no tool 'shell'. You have: ask_human, bash"),
        (says(use("view", path="a.py", start="x")), "- start: Input should be a valid integer"),
        (says(use("edit")), "- path: Field required"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_a_format_error_and_says_why(
    at: At, reply: FakeAnswer, told: str
) -> None:
    b = await at(reply, says(use("submit", summary="ok")))
    turn = await b.opened()
    report = await b.agent.take_turn(turn)
    assert report.format_error
    report = await b.agent.take_turn(following(turn, report))
    assert not report.format_error
    assert told in str(b.news())


async def test_the_same_failing_call_has_the_same_digest_and_another_one_another(at: At) -> None:
    flaky = "echo took 0.0$$ s at 0x$$; exit 1"
    b = await at(*(says(use("bash", command=command)) for command in (flaky, flaky, "exit 1", "exit 0")))
    turn = await b.opened()
    digests: list[str] = []
    for _ in range(4):
        report = await b.agent.take_turn(turn)
        digests.append(report.failing_call)
        turn = following(turn, report)
    assert digests[0] == digests[1] != digests[2]
    assert digests[3] == ""


async def test_a_refusal_ends_the_turn_and_runs_nothing(at: At) -> None:
    b = await at(says(text("I will not."), use("bash", command="touch x"), stop="refusal"))
    report = await b.agent.take_turn(await b.opened())
    assert (report.end, report.detail) == (TurnEnd.REFUSED, "I will not.")
    assert not b.files.exists()


async def test_money_out_buys_nothing_and_the_turn_can_be_taken_after_a_top_up(at: At) -> None:
    b = await at(says(use("submit", summary="ok")))
    turn = await b.opened(usd="0.0001")
    report = await b.agent.take_turn(turn)
    assert (report.end, report.turn) == (TurnEnd.MONEY_OUT, "")
    assert "0.0001" in report.detail
    assert await kinds(b) == ["prompt"]
    assert b.provider.total == 0
    await b.gateway.model.top_up_account(TopUpAccount(account="t", usd_ceiling=Decimal(1)))
    assert (await b.agent.take_turn(turn)).end is TurnEnd.SUBMITTED
    assert b.provider.total == 1


async def test_a_strike_goes_on_with_the_same_conversation_and_only_the_news(at: At) -> None:
    b = await at(says(use("submit", summary="first")), says(use("submit", summary="second")))
    report = await b.agent.take_turn(await b.opened())
    failure = await b.journal.keep_text("E assert 1 == 2")
    order = b.order(part=2, after=report.turn)
    order = order.model_copy(update={"brief": order.brief.model_copy(update={"failure": failure})})
    await b.agent.take_turn(await b.opened(order))
    assert len(b.sent()["messages"]) == 3
    submitted, news = b.news()
    assert submitted["content"][0]["text"] == "Submitted."
    assert news["text"].startswith("<failure>\nE assert 1 == 2\n</failure>")
    assert "<ticket" not in news["text"]


async def test_a_dead_sandbox_is_replaced_from_the_last_state(at: At) -> None:
    b = await at(
        says(use("edit", path="a.py", old="two", new="2")),
        says(use("edit", path="a.py", old="one", new="1"), use("bash", command="cat a.py")),
        says(use("submit", summary="ok")),
    )
    turn = await b.opened()
    second = following(turn, await b.agent.take_turn(turn))
    shutil.rmtree(b.checkouts.folder("t.work"))
    await b.agent.take_turn(following(second, await b.agent.take_turn(second)))
    assert "exited 0\\n1\\n2" in str(b.news())
    assert (b.files / "a.py").read_text() == "1\n2\n"


async def test_a_sandbox_that_dies_under_a_call_is_replaced_and_all_calls_are_run_again(at: At) -> None:
    suicide = (
        'if [ -e ../../died ]; then cat b.txt; else touch ../../died; mv "$(dirname "$PWD")" "$PWD/../../gone"; fi'
    )
    b = await at(says(use("edit", path="b.txt", old="", new="new\n"), use("bash", command=suicide)))
    report = await b.agent.take_turn(await b.opened())
    assert report.summary.endswith("exited 0")
    assert (b.files / "b.txt").read_text() == "new\n"
    assert len({key for key in [entry.key for entry in await b.journal.entries("t.builder1")] if "tool-" in key}) == 3


async def test_a_sandbox_that_always_dies_is_tried_again_later(at: At) -> None:
    b = await at(says(use("bash", command='mv "$(dirname "$PWD")" "$PWD/../../gone-$$"')))
    with pytest.raises(ApplicationError, match="died 3 times") as caught:
        await b.agent.take_turn(await b.opened())
    assert not caught.value.non_retryable


async def test_after_a_reset_another_way_starts_from_the_files_of_its_own_past(at: At) -> None:
    b = await at(
        says(use("edit", path="a.py", old="one", new="1")),
        says(use("edit", path="a.py", old="two", new="2")),
        says(use("bash", command="cat a.py > seen.txt")),
        says(use("bash", command="echo more >> seen.txt")),
    )
    turn = await b.opened()
    first = await b.agent.take_turn(turn)
    await b.agent.take_turn(following(turn, first))
    other = following(turn, first, ["Stop: go another way."])
    report = await b.agent.take_turn(other)
    assert (b.files / "seen.txt").read_text() == "1\ntwo\n"
    instance = (b.checkouts.folder("t.work") / "instance").read_text()
    await b.agent.take_turn(following(other, report))
    assert (b.checkouts.folder("t.work") / "instance").read_text() == instance  # strayed once, then at home
    assert (b.files / "seen.txt").read_text() == "1\ntwo\nmore\n"


async def test_the_prompt_is_rendered_once_and_holds_for_its_orders(at: At) -> None:
    b = await at(says())
    order = b.order()
    first = await b.agent.take_turn(await b.opened(order))
    assert await b.agent.take_turn(await b.opened(order)) == first
    assert (await kinds(b)).count(EntryKind.PROMPT) == 1
    changed = order.model_copy(update={"brief": order.brief.model_copy(update={"remarks": ("Other plan.",)})})
    assert (await b.agent.take_turn(await b.opened(changed))).turn != first.turn
    assert (await kinds(b)).count(EntryKind.PROMPT) == 2


async def test_a_closed_session_takes_no_further_turn(at: At) -> None:
    b = await at(says(use("bash", command="true")))
    turn = await b.opened(b.order(limits=Limits(usd=Decimal(2), tokens=100_000)))
    report = await b.agent.take_turn(turn)
    await b.agent.close_session(CloseSession(session="t.builder1"))
    with pytest.raises(ApplicationError) as caught:
        await b.agent.take_turn(following(turn, report))
    assert caught.value.type == "RunRevoked"
    assert b.files.exists(), "the workspace is the ticket's"


async def test_a_session_that_has_submitted_is_closed_also_where_that_turn_is_found_again(at: At) -> None:
    b = await at(says(use("submit", summary="ok")), says(use("bash", command="true")))
    turn = await b.opened()
    for agent in (b.agent, b.agent, another_worker(b)):
        report = await agent.take_turn(turn)
        assert report.end is TurnEnd.SUBMITTED
        with pytest.raises(ApplicationError) as caught:
            await agent.take_turn(following(turn, report))
        assert caught.value.type == "RunRevoked"
    await agent.close()
    assert b.provider.total == 1


async def test_a_turn_that_follows_nothing_is_refused(at: At) -> None:
    b = await at(says())
    turn = await b.opened()
    with pytest.raises(ApplicationError, match="follows no turn") as caught:
        await b.agent.take_turn(turn.model_copy(update={"order": None}))
    assert caught.value.type == "BadRequest"


@pytest.mark.parametrize("role", [Role.PLANNER, Role.REVIEWER, Role.TRIAGER])
async def test_roles_that_only_read_have_no_tool_that_writes(at: At, role: Role) -> None:
    b = await at(says(use("bash", command="touch x"), use("view", path="a.py")))
    report = await b.agent.take_turn(await b.opened(b.order(role)))
    assert not (b.files / "x").exists()
    assert (report.format_error, report.changed, report.state) == (False, False, None)
    offered = {tool["name"] for tool in b.sent()["tools"]}
    assert offered.isdisjoint({"bash", "edit", "run_checks"})


async def test_a_full_conversation_stops_with_the_next_step(at: At) -> None:
    b = await at(says(use("view", path="a.py"), input_tokens=170_000))
    turn = await b.opened()
    report = await b.agent.take_turn(turn)
    with pytest.raises(ApplicationError, match=r"conversation is full.*Take the ticket over") as caught:
        await b.agent.take_turn(following(turn, report))
    assert caught.value.type == "BadRequest"
    assert b.provider.total == 1
