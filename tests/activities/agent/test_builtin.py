"""Turns of the built-in agent, over real HTTP, a real journal and real files."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from tests.activities.agent.bench import Bench, bench, following
from tests.activities.agent.messages_api import MessagesApi, Reply, messages_api, text, use
from workflows.domain.session import CloseSession, Limits, Role, TurnEnd
from workflows.ports.journal import EntryKind

At = Callable[..., tuple[Bench, MessagesApi]]


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[At]:
    """An agent whose model gives these replies, with a base commit of one file a.py."""
    async with AsyncExitStack() as stack:

        def make(*replies: Reply, **base: str) -> tuple[Bench, MessagesApi]:
            api = stack.enter_context(messages_api(*replies))
            made = bench(tmp_path, api.url, **(base or {"a__py": "one\ntwo\n"}))
            stack.push_async_callback(made.agent.close)
            return made, api

        yield make


def said_to_model(api: MessagesApi, request: int = -1) -> list[dict[str, Any]]:
    """The content blocks of the last message of a request."""
    return api.seen[request].body["messages"][-1]["content"]


def tool_texts(api: MessagesApi) -> list[str]:
    return [block["content"][0]["text"] for block in said_to_model(api) if block["type"] == "tool_result"]


async def kinds(bench: Bench, session: str = "t.builder1") -> list[EntryKind]:
    return [entry.kind for entry in await bench.journal.entries(session)]


async def test_a_turn_that_edits_keeps_state_and_is_journaled_step_by_step(at: At) -> None:
    b, api = at(Reply([text("I change it."), use("edit", path="a.py", old="two", new="2")]))
    report = await b.agent.take_turn(await b.opened())
    assert (b.files / "a.py").read_text() == "one\n2\n"
    assert report.summary == "edit a.py"
    assert (report.end, report.changed, report.failing_call, report.format_error) == (TurnEnd.WORKING, True, "", False)
    assert report.state is not None
    assert "2" in await b.journal.load_text(report.state)
    assert (report.spend.turns, report.spend.input_tokens, report.spend.cached_tokens) == (1, 140, 40)
    assert report.spend.usd == Decimal("0.000612")  # 100 plain at $3, 40 cached at $0.30, 20 out at $15 per million
    assert await kinds(b) == ["prompt", "answer", "intent", "tool", "state", "turn"]
    request = api.seen[0]
    assert request.headers["x-pawl-seq"] == "1"
    assert "token-of-t.builder1" in request.headers.get("authorization", request.headers.get("x-api-key", ""))
    assert request.body["stream"] is True
    assert [tool["name"] for tool in request.body["tools"]] == sorted(tool["name"] for tool in request.body["tools"])


async def test_a_turn_is_taken_once(at: At, tmp_path: Path) -> None:
    b, api = at(Reply([use("bash", command="echo x >> log")]))
    turn = await b.opened()
    first = await b.agent.take_turn(turn)
    assert await b.agent.take_turn(turn) == first
    other_worker = bench(tmp_path, api.url)
    assert await other_worker.agent.take_turn(turn) == first
    await other_worker.agent.close()
    assert len(api.seen) == 1
    assert (b.files / "log").read_text() == "x\n"


async def test_the_conversation_grows_turn_by_turn_also_in_a_new_worker(at: At, tmp_path: Path) -> None:
    b, api = at(
        Reply([use("view", 1, path="a.py"), use("bash", 2, command="exit 3")]),
        Reply([use("search", 3, pattern="two")]),
        Reply([use("submit", 4, summary="Done.", risk="low")]),
    )
    turn = await b.opened()
    report = await b.agent.take_turn(turn)
    assert report.summary == "view a.py; bash exit 3: exited 3"
    second = following(turn, report, ["Mind the <steering> </steering> gap."])
    report = await b.agent.take_turn(second)
    result, failed, steering = said_to_model(api)
    assert result["content"][0]["text"] == "    1  one\n    2  two"
    assert (failed["content"][0]["text"], failed["is_error"]) == ("exited 3", True)
    assert steering["text"] == "<steering>\nMind the &lt;steering> &lt;/steering> gap.\n</steering>"
    other_worker = bench(tmp_path, api.url)
    report = await other_worker.agent.take_turn(following(second, report))
    await other_worker.agent.close()
    assert report.end is TurnEnd.SUBMITTED
    assert report.submission is not None
    assert report.submission.work is not None
    assert report.submission.work.summary == "Done."
    first, then = api.seen[1].body, api.seen[2].body
    assert then["messages"][: len(first["messages"])] == first["messages"]
    assert (first["system"], first["tools"]) == (then["system"], then["tools"])
    steer = [entry.body for entry in await b.journal.entries("t.builder1") if entry.kind is EntryKind.STEER]
    assert steer == ['"Mind the <steering> </steering> gap."']


async def test_a_question_ends_the_turn_and_what_comes_after_it_is_not_run(at: At) -> None:
    b, api = at(
        Reply([use("ask_human", 1, question="Dots or dashes?"), use("edit", 2, path="a.py", old="one", new="1")]),
        Reply([use("submit", 3, summary="ok")]),
    )
    turn = await b.opened()
    report = await b.agent.take_turn(turn)
    assert (report.end, report.question, report.changed) == (TurnEnd.ASKED, "Dots or dashes?", False)
    assert (b.files / "a.py").read_text() == "one\ntwo\n"
    order = b.order(after=report.turn, first_turn=2, opening=("Dots.",))
    resumed = (await b.opened(order)).model_copy(update={"steering": order.opening})
    assert resumed.prompt == turn.prompt
    await b.agent.take_turn(resumed)
    asked, not_run, answer = said_to_model(api)
    assert "person is asked" in asked["content"][0]["text"]
    assert "Not run" in not_run["content"][0]["text"]
    assert "Dots." in answer["text"]


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply([text("I am done.")]), "called no tool"),
        (Reply([]), "called no tool"),
        (Reply([use("shell", command="ls")]), "There is no tool 'shell'. You have: ask_human, bash"),
        (Reply([use("view", path="a.py", start="x")]), "- start: Input should be a valid integer"),
        (Reply([use("edit")]), "- path: Field required"),
        (Reply([{**use("view"), "input": '{"path": "a'}], stop_reason="max_tokens"), "reached its greatest length"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_a_format_error_and_says_why(at: At, reply: Reply, told: str) -> None:
    b, api = at(reply, Reply([use("submit", summary="ok")]))
    turn = await b.opened()
    report = await b.agent.take_turn(turn)
    assert report.format_error
    report = await b.agent.take_turn(following(turn, report))
    assert not report.format_error
    assert told in str(said_to_model(api))


async def test_the_same_failing_call_has_the_same_digest_and_another_one_another(at: At) -> None:
    flaky = "echo took 0.0$$ s at 0x$$; exit 1"
    b, _ = at(*(Reply([use("bash", n, command=c)]) for n, c in enumerate((flaky, flaky, "exit 1", "exit 0"))))
    turn = await b.opened()
    digests: list[str] = []
    for _ in range(4):
        report = await b.agent.take_turn(turn)
        digests.append(report.failing_call)
        turn = following(turn, report)
    assert digests[0] == digests[1] != digests[2]
    assert digests[3] == ""


async def test_a_refusal_ends_the_turn_and_runs_nothing(at: At) -> None:
    b, _ = at(Reply([text("I will not."), use("bash", command="touch x")], stop_reason="refusal"))
    report = await b.agent.take_turn(await b.opened())
    assert (report.end, report.detail) == (TurnEnd.REFUSED, "I will not.")
    assert not b.files.exists()


async def test_money_out_buys_nothing_and_the_turn_can_be_taken_after_a_top_up(at: At) -> None:
    error = {"type": "error", "error": {"type": "billing_error", "message": "The ticket's $5 are used up."}}
    b, api = at(Reply(status=402, error=error), Reply([use("submit", summary="ok")]))
    turn = await b.opened()
    report = await b.agent.take_turn(turn)
    assert (report.end, report.turn, report.detail) == (TurnEnd.MONEY_OUT, "", "The ticket's $5 are used up.")
    assert await kinds(b) == ["prompt"]
    assert (await b.agent.take_turn(turn)).end is TurnEnd.SUBMITTED
    assert len(api.seen) == 2


async def test_a_strike_goes_on_with_the_same_conversation_and_only_the_news(at: At) -> None:
    b, api = at(Reply([use("submit", 1, summary="first")]), Reply([use("submit", 2, summary="second")]))
    report = await b.agent.take_turn(await b.opened())
    failure = await b.journal.keep_text("E assert 1 == 2")
    order = b.order(part=2, after=report.turn)
    order = order.model_copy(update={"brief": order.brief.model_copy(update={"failure": failure})})
    await b.agent.take_turn(await b.opened(order))
    assert len(api.seen[1].body["messages"]) == 3
    submitted, news = said_to_model(api)
    assert submitted["content"][0]["text"] == "Submitted."
    assert news["text"].startswith("<failure>\nE assert 1 == 2\n</failure>")
    assert "<ticket" not in news["text"]


async def test_a_dead_sandbox_is_replaced_from_the_last_state(at: At) -> None:
    b, api = at(
        Reply([use("edit", 1, path="a.py", old="two", new="2")]),
        Reply([use("edit", 2, path="a.py", old="one", new="1"), use("bash", 3, command="cat a.py")]),
        Reply([use("submit", 4, summary="ok")]),
    )
    turn = await b.opened()
    second = following(turn, await b.agent.take_turn(turn))
    shutil.rmtree(b.checkouts.folder("t.work"))
    await b.agent.take_turn(following(second, await b.agent.take_turn(second)))
    assert "exited 0\n1\n2" in tool_texts(api)
    assert (b.files / "a.py").read_text() == "1\n2\n"


async def test_a_sandbox_that_dies_under_a_call_is_replaced_and_all_calls_are_run_again(at: At) -> None:
    suicide = 'if [ -e ../../died ]; then cat b.txt; else touch ../../died; rm -rf "$(dirname "$PWD")"; fi'
    b, _ = at(Reply([use("edit", 1, path="b.txt", old="", new="new\n"), use("bash", 2, command=suicide)]))
    report = await b.agent.take_turn(await b.opened())
    assert report.summary.endswith("exited 0")
    assert (b.files / "b.txt").read_text() == "new\n"
    assert len({key for key in [entry.key for entry in await b.journal.entries("t.builder1")] if "tool-" in key}) == 3


async def test_a_sandbox_that_always_dies_is_tried_again_later(at: At) -> None:
    b, _ = at(Reply([use("bash", command='rm -rf "$(dirname "$PWD")"')]))
    with pytest.raises(ApplicationError, match="died 3 times") as caught:
        await b.agent.take_turn(await b.opened())
    assert not caught.value.non_retryable


async def test_after_a_reset_another_way_starts_from_the_files_of_its_own_past(at: At) -> None:
    b, _ = at(
        Reply([use("edit", 1, path="a.py", old="one", new="1")]),
        Reply([use("edit", 2, path="a.py", old="two", new="2")]),
        Reply([use("bash", 3, command="cat a.py > seen.txt")]),
        Reply([use("bash", 4, command="echo more >> seen.txt")]),
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
    b, _ = at(Reply([]))
    order = b.order()
    first = await b.opened(order)
    assert (await b.opened(order)).prompt == first.prompt
    changed = order.model_copy(update={"brief": order.brief.model_copy(update={"remarks": ("Other plan.",)})})
    assert (await b.opened(changed)).prompt != first.prompt
    assert await kinds(b) == ["prompt", "prompt"]


async def test_opening_and_closing_a_session_opens_and_revokes_its_run(at: At) -> None:
    b, _ = at(Reply([use("bash", command="true")]))
    turn = await b.opened(b.order(limits=Limits(usd=Decimal(2), tokens=1_000)))
    assert b.runs.open == {"t.builder1": (Decimal(2), 1_000)}
    await b.agent.take_turn(turn)
    close = CloseSession(session="t.builder1", account="t", workspace=turn.workspace)
    await b.agent.close_session(close)
    assert b.runs.open == {}
    assert b.files.exists()
    await b.agent.close_session(close.model_copy(update={"keep_workspace": False}))
    assert not b.files.exists()


@pytest.mark.parametrize("role", [Role.PLANNER, Role.REVIEWER])
async def test_roles_that_only_read_have_no_tool_that_writes(at: At, role: Role) -> None:
    b, api = at(Reply([use("bash", 1, command="touch x"), use("view", 2, path="a.py")]))
    report = await b.agent.take_turn(await b.opened(b.order(role)))
    assert not (b.files / "x").exists()
    assert (report.format_error, report.changed, report.state) == (False, False, None)
    offered = {tool["name"] for tool in api.seen[0].body["tools"]}
    assert offered.isdisjoint({"bash", "edit", "run_checks"})


async def test_a_full_conversation_stops_with_the_next_step(at: At) -> None:
    b, api = at(Reply([use("view", 1, path="a.py")], input_tokens=170_000))
    turn = await b.opened()
    report = await b.agent.take_turn(turn)
    with pytest.raises(ApplicationError, match=r"conversation is full.*Take the ticket over") as caught:
        await b.agent.take_turn(following(turn, report))
    assert caught.value.type == "BadRequest"
    assert len(api.seen) == 1
