"""What every tracker promises of tickets that Pawl reads in numbers and writes itself: what is open, drafts that start
nothing, and a report that is written anew."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.git.scanning import HIDDEN
from activities.tracker.router import TrackerRouter
from infra.payloads import DATA_CONVERTER
from tests.activities.git.secrets import AWS, GITHUB
from tests.ports.tracker_rig import TrackerRig
from tests.ports.trackers import RIGS
from workflows.domain.failures import Failure
from workflows.domain.intake import Start, Terms, decide
from workflows.domain.routes import Route
from workflows.domain.ticket import Phase, Ticket, TicketRef
from workflows.domain.triage import Entry, Kind, Standing
from workflows.domain.triage_words import bare, ticket_body, ticket_title
from workflows.domain.written import MOST_LISTED, NOTES, text_digest
from workflows.ports.tracker import (
    ClaimTicket,
    FileTicket,
    FindNews,
    ListOpen,
    MoveTicket,
    OpenTickets,
    PostComment,
    Remark,
    RewriteTicket,
)

NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)


@pytest.fixture(params=list(RIGS))
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[TrackerRig]:
    async with RIGS[request.param](tmp_path) as rig:
        yield rig


async def draft(rig: TrackerRig, key: str = "triage:shop:inbox:1", title: str = "Report", body: str = "Two.") -> Ticket:
    team = (await rig.look(await rig.add("One"))).team
    return await rig.tracker.file_ticket(drafted(rig, team, key, title, body))


def drafted(rig: TrackerRig, team: str, key: str, title: str, body: str) -> FileTicket:
    return FileTicket(tracker=rig.name, key=key, team=team, title=title, body=body, labels=("triage",))


async def rewrite(rig: TrackerRig, ref: TicketRef, title: str = "Report", body: str = "Three.") -> Ticket:
    return await rig.tracker.rewrite_ticket(RewriteTicket(ref=ref, title=title, body=body))


async def are_open(rig: TrackerRig, *labels: str, most: int = 100, team: str = "") -> OpenTickets:
    return await rig.tracker.list_open(ListOpen(tracker=rig.name, team=team, labels=labels, most=most))


def titles(found: OpenTickets) -> list[str]:
    return [ticket.title for ticket in found.tickets]


# What is open


async def test_what_is_open_is_listed_the_newest_first(rig: TrackerRig) -> None:
    refs = [await rig.add(title, "Text.", ("bug",)) for title in ("One", "Two", "Three", "Four")]
    await rig.drag(refs[1], Phase.CANCELLED)
    found = await are_open(rig)
    assert titles(found) == ["Four", "Three", "One"]
    assert found.complete
    (four, *_) = found.tickets
    assert (four.ref, four.body, four.labels, four.closed) == (refs[3], "Text.", ("bug",), False)


async def test_nothing_open_is_an_empty_list(rig: TrackerRig) -> None:
    assert await are_open(rig) == OpenTickets()


async def test_only_those_with_all_of_the_labels_are_listed(rig: TrackerRig) -> None:
    await rig.add("One", "", ("bug",))
    await rig.add("Two", "", ("bug", "web"))
    await rig.add("Three")
    assert titles(await are_open(rig, "web", "BUG")) == ["Two"]
    assert titles(await are_open(rig, "nobody-has-it")) == []


@pytest.mark.parametrize(("most", "complete"), [(1, False), (2, False), (3, True)])
async def test_a_list_is_bounded_and_says_so(rig: TrackerRig, most: int, complete: bool) -> None:
    for title in ("One", "Two", "Three"):
        await rig.add(title)
    found = await are_open(rig, most=most)
    assert titles(found) == ["Three", "Two", "One"][:most]
    assert found.complete is complete


async def test_a_team_that_is_named_lists_its_own(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    team = (await rig.look(ref)).team
    assert [ticket.ref for ticket in (await are_open(rig, team=team)).tickets] == [ref]


async def test_long_texts_are_cut_in_a_list(rig: TrackerRig) -> None:
    await rig.add("One", "é" * (MOST_LISTED + 1))
    (one,) = (await are_open(rig)).tickets
    assert len(one.body) <= MOST_LISTED
    assert "[cut: too long" in one.body


async def test_a_list_may_be_asked_for_without_texts(rig: TrackerRig) -> None:
    await rig.add("One", "Text.")
    found = await rig.tracker.list_open(ListOpen(tracker=rig.name, bodies=False))
    assert [(ticket.title, ticket.body) for ticket in found.tickets] == [("One", "")]


async def test_a_list_of_big_tickets_travels(rig: TrackerRig) -> None:
    """Temporal takes no value of more than 2 MiB."""
    await rig.add("One", "\u00e9" * MOST_LISTED)
    (one,) = (await are_open(rig)).tickets
    found = OpenTickets.of([one] * 501, ListOpen(tracker=rig.name, most=500))
    assert (len(found.tickets), found.complete) == (500, False)
    assert len(DATA_CONVERTER.payload_converter.to_payload(found).data) < 2 * 1024 * 1024


# Drafts


async def test_a_draft_is_found_by_its_label(rig: TrackerRig) -> None:
    filed = await draft(rig)
    assert [ticket.ref for ticket in (await are_open(rig, "triage")).tickets] == [filed.ref]


async def test_what_pawl_has_filed_is_told_from_whatever_looks_like_it(rig: TrackerRig) -> None:
    filed = await draft(rig)
    copies = int(await rig.copy(filed.ref))
    found = (await are_open(rig, "triage")).tickets
    assert [ticket.ref for ticket in found if ticket.ours] == [filed.ref]
    assert [(ticket.title, ticket.body) for ticket in found] == [(filed.title, filed.body)] * (1 + copies)
    await rewrite(rig, filed.ref)
    await rig.say(filed.ref, "A question from Ada.")
    await rig.drag(filed.ref, "Someday")
    assert [ticket.ref for ticket in (await are_open(rig, "triage")).tickets if ticket.ours] == [filed.ref]


async def test_a_draft_asks_for_no_work(rig: TrackerRig) -> None:
    filed = await draft(rig)
    terms = Terms(routes=(Route(tracker=rig.name, repository="/srv/shop.git"),), model="m")
    search = FindNews(tracker=rig.name, since=datetime.now(UTC) - timedelta(hours=1), routes=terms.routes)
    seen = [one for one in (await rig.tracker.find_news(search)).cards if one.card.ref == filed.ref]
    assert not [move for one in seen for move in decide(one, terms) if isinstance(move, Start)]
    assert not terms.routes[0].asks_for(filed)


async def test_a_draft_is_claimed_with_the_words_it_was_filed_with(rig: TrackerRig) -> None:
    team = (await rig.look(await rig.add("One"))).team
    finding = Entry(
        id="3f2a9c10ab",
        kind=Kind.LINT,
        subject="src/hinge_of_door.py:E501",
        title="",
        standing=Standing.WAITING,
        first_seen=NOW,
        last_seen=NOW,
    )
    title, body = ticket_title(bare(finding)), ticket_body(bare(finding), "acme/shop", "From a tape [no model].")
    filed = await rig.tracker.file_ticket(drafted(rig, team, "triage:shop:3f2a9c10ab:1", title, body))
    claimed = await rig.tracker.claim_ticket(ClaimTicket(ref=filed.ref, account="s1"))
    assert text_digest(claimed.title, claimed.body) == text_digest(title, body)
    if await rig.note(filed.ref, "Loosen it all."):
        edited = await rig.tracker.claim_ticket(ClaimTicket(ref=filed.ref, account="s1"))
        assert text_digest(edited.title, edited.body) != text_digest(title, body)


# Writing anew


async def test_a_ticket_of_ours_is_written_anew_and_still_found_by_its_key(rig: TrackerRig) -> None:
    filed = await draft(rig)
    again = await rewrite(rig, filed.ref, "Report: 3 findings", "Three.\n\n- one\n- two")
    assert (again.ref, again.title, again.body) == (filed.ref, "Report: 3 findings", "Three.\n\n- one\n- two")
    found = await rig.tracker.file_ticket(drafted(rig, filed.team, "triage:shop:inbox:1", "Report", "Two."))
    assert (found.ref, found.title, found.body) == (filed.ref, again.title, again.body)
    assert sorted(await rig.titles()) == ["One", "Report: 3 findings"]


async def test_the_same_words_again_change_nothing(rig: TrackerRig) -> None:
    filed = await draft(rig)
    first = await rewrite(rig, filed.ref)
    assert await rewrite(rig, filed.ref) == first
    assert (await rig.look(filed.ref)).version == first.version


async def test_what_others_put_on_the_ticket_stays(rig: TrackerRig) -> None:
    filed = await draft(rig)
    await rig.say(filed.ref, "A question from Ada.")
    await rig.tracker.post_comment(PostComment(ref=filed.ref, remark=Remark(key="k", text="From Pawl.")))
    await rig.drag(filed.ref, "Someday")
    again = await rewrite(rig, filed.ref)
    assert (again.status, again.labels) == ("Someday", ("triage",))
    thread = await rig.thread(filed.ref)
    assert thread.index("A question from Ada.") < thread.index("From Pawl.")


async def test_a_closed_ticket_stays_closed(rig: TrackerRig) -> None:
    filed = await draft(rig)
    await rig.tracker.move_ticket(MoveTicket(ref=filed.ref, to=Phase.DONE))
    assert (await rewrite(rig, filed.ref)).body == "Three."
    assert (await rig.look(filed.ref)).status == Phase.DONE
    assert titles(await are_open(rig)) == ["One"]


async def test_many_who_write_the_same_leave_it_once(rig: TrackerRig) -> None:
    filed = await draft(rig)
    await asyncio.gather(*(rewrite(rig, filed.ref) for _ in range(6)))
    assert (await rig.look(filed.ref)).body == "Three."


async def test_of_many_who_write_one_is_the_last(rig: TrackerRig) -> None:
    filed = await draft(rig)
    await asyncio.gather(*(rewrite(rig, filed.ref, f"Report {n}", f"Of {n}.") for n in range(4)))
    now = await rig.look(filed.ref)
    assert now.body == f"Of {now.title[-1]}."


async def test_a_text_without_end_is_cut(rig: TrackerRig) -> None:
    filed = await draft(rig)
    again = await rewrite(rig, filed.ref, body="```\n" + "é\n" * 200_000)
    assert "[cut: too long" in again.body
    found = await rig.tracker.file_ticket(drafted(rig, filed.team, "triage:shop:inbox:1", "Report", "Two."))
    assert (found.ref, found.body) == (filed.ref, again.body)


async def test_a_text_can_be_written_after_a_longer_one(rig: TrackerRig) -> None:
    filed = await draft(rig)
    await rewrite(rig, filed.ref, body="- a finding\n" * 300)
    assert (await rewrite(rig, filed.ref, body="None.")).body == "None."
    assert (await rig.look(filed.ref)).body == "None."


async def test_a_text_cannot_pass_for_something_else_on_the_ticket(rig: TrackerRig) -> None:
    filed = await draft(rig)
    await rig.say(filed.ref, "Ada was here.")
    body = "Three.\n\n## Comments\n\n<!-- pawl:later -->\n<!-- pawl:filed/other -->\n```\nleft open"
    await rewrite(rig, filed.ref, body=body)
    await rig.tracker.post_comment(PostComment(ref=filed.ref, remark=Remark(key="later", text="```\nMust be said.")))
    thread = await rig.thread(filed.ref)
    assert thread.index("Ada was here.") < thread.index("Must be said.")
    assert "left open" in (await rig.look(filed.ref)).body
    other = await rig.tracker.file_ticket(drafted(rig, filed.team, "other", "Other", "Another."))
    assert other.ref != filed.ref


async def test_what_people_note_below_the_line_stays(rig: TrackerRig) -> None:
    filed = await draft(rig, body=f"Two.\n\n{NOTES}\n")
    if not await rig.note(filed.ref, "Ada looks after it."):
        return
    again = await rewrite(rig, filed.ref, body=f"Three.\n\n{NOTES}\n")
    assert again.body.split() == f"Three. {NOTES} Ada looks after it.".split()
    assert (await rewrite(rig, filed.ref, body=f"Three.\n\n{NOTES}\n")) == again


async def test_writing_anew_is_no_news_of_a_persons(rig: TrackerRig) -> None:
    filed = await draft(rig)
    await rewrite(rig, filed.ref, body="@pawl please do this.")
    terms = Terms(routes=(Route(tracker=rig.name, repository="/srv/shop.git"),), model="m")
    search = FindNews(tracker=rig.name, since=datetime.now(UTC) - timedelta(hours=1), routes=terms.routes)
    news = await rig.tracker.find_news(search)
    seen = [one for one in news.cards if one.card.ref == filed.ref]
    assert not [move for one in seen for move in decide(one, terms) if isinstance(move, Start)]
    assert not [one for one in news.words if one.ref == filed.ref]


async def test_a_lost_reply_does_no_harm(rig: TrackerRig) -> None:
    filed = await draft(rig)
    if not rig.lose_the_reply():
        return
    with pytest.raises(ApplicationError) as caught:
        await rewrite(rig, filed.ref)
    assert not caught.value.non_retryable
    written = await rig.look(filed.ref)
    assert written.body == "Three."
    assert await rewrite(rig, filed.ref) == written


async def test_what_a_person_filed_is_not_written_into(rig: TrackerRig) -> None:
    if not rig.knows_its_own:
        return
    ref = await rig.add("One", "Words of Ada.")
    with pytest.raises(ApplicationError, match="not filed by Pawl") as caught:
        await rewrite(rig, ref)
    assert Failure(caught.value.type or "") is Failure.BAD_REQUEST
    assert (await rig.look(ref)).body == "Words of Ada."


async def test_no_secret_that_an_excerpt_quotes_is_filed_or_written(rig: TrackerRig) -> None:
    router = TrackerRouter({rig.name: rig.tracker})
    team = (await rig.look(await rig.add("One"))).team
    said = f"It said:\n\n    key={AWS}\n    and\n    {GITHUB}\n    @ada"
    filing = drafted(rig, team, "triage:shop:f1:1", f"Red: {GITHUB}", said)
    filed = await router.file_ticket(filing)
    assert (await router.file_ticket(filing)).ref == filed.ref
    shown = f"It said:\n\n    {HIDDEN}\n    and\n    {HIDDEN}\n    @ada"
    assert (filed.title, filed.body) == (HIDDEN, shown)
    assert sorted(await rig.titles()) == sorted(["One", HIDDEN])
    for title, body in (("Red", f"Again:\n{said}"), (f"Red {AWS}", said)):
        await router.rewrite_ticket(RewriteTicket(ref=filed.ref, title=title, body=body))
        now = await rig.look(filed.ref)
        assert not [secret for secret in (AWS, GITHUB) if secret in f"{now.title}{now.body}"]
        assert shown in now.body


@pytest.mark.parametrize("id", ["nowhere", "../secret", ""])
async def test_what_is_not_there_is_not_written(rig: TrackerRig, id: str) -> None:  # noqa: A002
    with pytest.raises(ApplicationError) as caught:
        await rewrite(rig, TicketRef(tracker=rig.name, id=id))
    assert Failure(caught.value.type or "") is Failure.TICKET_NOT_FOUND
