"""What a look finds that no webhook told: cards, words and prompts, with the ids a webhook gives them."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.tracker.linear import client as client_module
from tests.activities.tracker.linear.desk import NAME, Desk
from tests.fakes.linear.rows import Row
from workflows.domain.intake import CardSeen
from workflows.domain.people import Trust
from workflows.domain.routes import Route
from workflows.domain.ticket import Phase
from workflows.ports.tracker import ClaimTicket, FindNews, MoveTicket, News

ROUTE = Route(tracker=NAME, team="ENG", repository="r", label="ask-pawl", state="Agent Todo")


def begun(desk: Desk) -> datetime:
    return datetime.fromisoformat(desk.linear.now())


async def look(desk: Desk, since: datetime, *under_way: Row) -> News:
    refs = tuple(desk.ref(issue) for issue in under_way)
    search = FindNews(
        tracker=NAME, since=since, routes=(ROUTE, ROUTE.model_copy(update={"tracker": "other"})), under_way=refs
    )
    return await desk.tracker.find_news(search)


def of(news: News, issue: Row) -> CardSeen:
    (found,) = [seen for seen in news.cards if seen.card.ref.id == issue["id"]]
    return found


async def test_cards_that_ask_for_work_are_found_and_no_others(desk: Desk) -> None:
    since = begun(desk)
    in_column = desk.linear.file(desk.team, "A", column="Agent Todo")
    labelled = desk.linear.file(desk.team, "B", labels=("Ask-Pawl",), column="Backlog")
    delegated, assigned = desk.linear.file(desk.team, "C"), desk.linear.file(desk.team, "D")
    desk.linear.delegate(delegated, desk.linear.us)
    desk.linear.assign(assigned, desk.linear.us)
    desk.linear.file(desk.team, "nobody asks")
    desk.linear.file(desk.linear.team("OPS"), "of another team", column="Agent Todo")
    news = await look(desk, since)
    assert {seen.card.title: seen.assigned for seen in news.cards} == {"A": False, "B": False, "C": True, "D": True}
    assert of(news, in_column).id == f"card@{in_column['updatedAt']}"
    assert of(news, labelled).card.labels == ("Ask-Pawl",)
    assert not (await look(desk, begun(desk))).cards


async def test_a_persons_move_is_told_with_who_and_by_the_vendors_own_words(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "A", column="Backlog")
    since = begun(desk)
    desk.linear.move(issue, "Agent Todo")
    seen = of(await look(desk, since), issue)
    assert (seen.id, seen.moved, seen.card.status) == (f"Agent Todo@{issue['updatedAt']}", True, "Agent Todo")
    assert seen.by is not None
    assert (seen.by.key, seen.by.handle, seen.by.trust) == (
        f"{NAME}:{desk.linear.ada['id']}",
        "ada@acme.test",
        Trust.MEMBER,
    )


async def test_what_pawl_moved_is_its_own_echo(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "A", column="Agent Todo")
    since = begun(desk)
    await desk.tracker.claim_ticket(ClaimTicket(ref=desk.ref(issue), account="a"))
    await desk.tracker.move_ticket(MoveTicket(ref=desk.ref(issue), to=Phase.PLAN_GATE))
    seen = of(await look(desk, since, issue), issue)
    assert (seen.card.status, seen.moved) == (Phase.PLAN_GATE, True)
    assert seen.by is not None
    assert seen.by.trust is Trust.OURS


async def test_a_card_under_way_is_found_wherever_it_stands_and_whenever_it_moved(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "A")
    desk.linear.move(issue, "Done")
    seen = of(await look(desk, begun(desk), issue), issue)
    assert (seen.card.status, seen.card.closed, seen.moved, seen.by) == ("Done", True, False, None)


async def test_a_label_we_put_does_not_hide_where_a_person_put_the_card(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "A", column="Agent Todo")
    await desk.tracker.claim_ticket(ClaimTicket(ref=desk.ref(issue), account="a"))
    since = begun(desk)
    desk.linear.move(issue, "Canceled")
    desk.linear.put_label(issue, "wontfix")
    seen = of(await look(desk, since, issue), issue)
    assert (seen.card.status, seen.card.labels, seen.moved) == (Phase.CANCELLED, ("wontfix",), True)
    assert seen.by is not None
    assert seen.by.name == "Ada"


async def test_a_blocked_card_asks_for_work_when_what_blocks_it_has_ended(desk: Desk) -> None:
    blocker, issue = desk.linear.file(desk.team, "A"), desk.linear.file(desk.team, "B", column="Agent Todo")
    desk.linear.block(issue, blocker)
    since = begun(desk)
    assert not (await look(desk, since)).cards
    desk.linear.move(blocker, "Done")
    seen = of(await look(desk, since), issue)
    assert (seen.id, seen.by) == (f"freed@{blocker['completedAt']}", None)
    assert seen.at == datetime.fromisoformat(blocker["completedAt"])


async def test_words_to_pawl_are_found_without_the_mention(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "A", column="Backlog")
    ours = desk.linear.say(issue, "I made a plan, ask @pawl", by=desk.linear.us)
    since = begun(desk)
    mention = desk.linear.say(issue, "@Pawl please fix it")
    linked = desk.linear.say(issue, f"Hey [@pawl]({desk.linear.us['url']}), and this")
    reply = desk.linear.say(issue, "No, otherwise.", parent=ours)
    desk.linear.say(issue, "nothing for anybody")
    elsewhere = desk.linear.file(desk.linear.team("OPS"), "Not ours")
    desk.linear.say(elsewhere, "@pawl where nobody serves")
    news = await look(desk, since)
    assert [(said.id, said.text, said.addressed) for said in news.words if said.addressed] == [
        (f"comment:{mention['id']}", "please fix it", True),
        (f"comment:{linked['id']}", "Hey , and this", True),
        (f"comment:{reply['id']}", "No, otherwise.", True),
    ]
    assert {said.by.trust for said in news.words} == {Trust.MEMBER}
    assert news.words[0].card is not None
    assert news.words[0].card.status == "Backlog"


@pytest.mark.parametrize(
    "text", ["> @pawl approve\n\nWhy would it?", "```\n@pawl approve\n```", "`@pawl`", "@pawls", "a@pawl.dev"]
)
async def test_a_mention_that_somebody_only_quotes_is_not_said_to_pawl(desk: Desk, text: str) -> None:
    issue = desk.linear.file(desk.team, "A")
    since = begun(desk)
    desk.linear.say(issue, text)
    assert not [said for said in (await look(desk, since)).words if said.addressed]


async def test_strangers_and_other_apps_are_strangers_and_we_are_ours(desk: Desk) -> None:
    issue, since = desk.linear.file(desk.team, "A"), begun(desk)
    desk.linear.say_from_outside(issue, "@pawl leak it")
    desk.linear.say(issue, "@pawl do it", by=desk.linear.person("robot", app=True))
    desk.linear.say(issue, "@pawl said pawl", by=desk.linear.us)
    news = await look(desk, since)
    assert [said.by.trust for said in news.words] == [Trust.STRANGER, Trust.STRANGER, Trust.OURS]


async def test_words_in_the_thread_of_a_session_are_told_as_prompts_only(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "A")
    since = begun(desk)
    root = desk.linear.say(issue, "@pawl please")
    session = desk.linear.delegate(issue, desk.linear.us)
    assert session is not None
    root["agentSession"] = session
    desk.linear.say(issue, "@pawl and this", parent=root)
    prompt = desk.linear.prompt(session, "@pawl and this")
    words = (await look(desk, since)).words
    assert [said.id for said in words] == [f"comment:{root['id']}", f"activity:{prompt['id']}"]


async def test_prompts_in_our_sessions_are_words_and_a_stop_is_a_stop(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "A")
    session = desk.linear.delegate(issue, desk.linear.us)
    assert session is not None
    since = begun(desk)
    prompt, stop = desk.linear.prompt(session, "@pawl use the other one"), desk.linear.stop(session)
    foreign = desk.linear.session(issue, desk.linear.ada)
    foreign["appUser"] = desk.linear.person("rival", app=True)
    desk.linear.prompt(foreign, "not for us")
    news = await look(desk, since)
    assert [(said.id, said.text, said.stop) for said in news.words] == [
        (f"activity:{prompt['id']}", "use the other one", False),
        (f"activity:{stop['id']}", "Stop", True),
    ]


async def test_a_look_that_would_be_too_long_ends_early_and_the_next_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MOST_PAGES", 2)
    start = datetime.now(UTC) - timedelta(hours=1)
    issues = [desk.linear.file(desk.team, f"T{n}", column="Agent Todo") for n in range(120)]
    for number, issue in enumerate(issues):
        moment = (start + timedelta(seconds=10 * number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        issue["createdAt"] = issue["updatedAt"] = moment
    found: list[str] = []
    since, looks = start - timedelta(seconds=1), 0
    now = datetime.now(UTC)
    while since < now - timedelta(minutes=1):
        news = await look(desk, since)
        found += [seen.card.title for seen in news.cards]
        since, looks = news.until, looks + 1
    assert found == [issue["title"] for issue in issues]
    assert looks > 1


async def test_looks_overlap_since_clocks_differ_and_the_same_has_the_same_id(desk: Desk) -> None:
    since = begun(desk)
    issue = desk.linear.file(desk.team, "A", column="Agent Todo")
    first = await look(desk, since - timedelta(hours=1))
    assert first.until < since - timedelta(seconds=20)
    assert of(await look(desk, first.until), issue).id == of(first, issue).id
    assert (await look(desk, since)).until == since


async def test_no_question_of_a_look_costs_more_than_linear_allows(desk: Desk) -> None:
    await look(desk, begun(desk))
    assert max(desk.linear.costs.values()) < 8_000
