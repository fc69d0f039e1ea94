"""Thirty nights of triage on real processes that are killed all along: no finding twice, state carried, every silent
night silent, budget never exceeded."""

import re
from collections import Counter
from pathlib import Path

import pytest

from infra import process
from tests.system.thirty import story
from tests.system.thirty.books import Account, accounts
from tests.system.thirty.kills import SEED, Lot, drawn
from tests.system.thirty.stage import Seen, Stage, stage
from tests.system.thirty.story import Night

pytestmark = [pytest.mark.crash, pytest.mark.server, pytest.mark.sandbox, pytest.mark.timeout(900)]

AGAIN = "It came up before"


async def test_thirty_nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "BACKOFF_SECONDS", (0.0,))  # parts die here more often than in any operator's month
    print(f"seed {SEED}")
    expected = dict[str, str]()
    async with stage(tmp_path) as nights:
        for number, lot in drawn().items():
            night = story.night(number)
            seen = await nights.night(number, night, lot.kills, lot.between)
            print(f"night {number}: {seen.seconds:.1f} s. {seen.outcome.says} Killed: {lot.words or 'nobody'}")
            expected |= night.standing
            assert seen.unkilled == [], nights.story()
            assert_as_told(seen, night, nights, number)
            assert_silent(seen, night)
            assert_carried(seen, expected)
            assert_bought_once(nights, number, night, lot)
            assert_within_budget(nights, seen, night)
        assert_tickets_once(nights)
        assert_seen_since(nights)
        await assert_nothing_runs(nights)


def assert_as_told(seen: Seen, night: Night, nights: Stage, number: int) -> None:
    outcome = seen.outcome
    assert night.told in outcome.says
    assert seen.loop.says == outcome.says
    assert (outcome.at, outcome.asked, bool(outcome.trouble)) == (nights.moment(number), night.asked, night.greedy)
    assert seen.loop.told == night.greedy
    assert len(outcome.tickets) == len(night.tickets) + night.remarks
    fresh = {card: text for card, text in seen.after.cards.items() if card not in seen.before.cards}
    assert len(fresh) == len(night.tickets)
    for subject in night.tickets:
        assert len([text for text in fresh.values() if f"`{subject}`" in text.decode()]) == 1
    touched = [card for card, text in seen.before.cards.items() if seen.after.cards[card] != text]
    assert len(touched) == night.remarks, "nobody else's card is written on"
    alarms = [line for line in seen.after.notes.splitlines() if line not in seen.before.notes.splitlines()]
    assert len(alarms) == len(outcome.started) + night.greedy, alarms


def assert_silent(seen: Seen, night: Night) -> None:
    """Nobody is asked, nothing is written, nothing is said."""
    if night.silent:
        assert seen.outcome.silent
        assert not seen.outcome.asked
        assert seen.after == seen.before


def assert_carried(seen: Seen, expected: dict[str, str]) -> None:
    """The state file holds every finding once, as it stands, since when it was first seen."""
    findings = seen.state.findings
    assert {entry.subject: str(entry.standing) for entry in findings} == expected
    assert len(findings) == len({entry.id for entry in findings}) == len(expected)
    if not seen.outcome.trouble:
        assert seen.state.seen_until == seen.outcome.at
    else:
        assert seen.state.seen_until != seen.outcome.at


def assert_bought_once(nights: Stage, number: int, night: Night, lot: Lot) -> None:
    """Every turn once; a gateway that died in mid-call may have bought that one call again."""
    turns = nights.provider.turns(f"night {number}")
    assert sorted(turns) == list(range(1, len(turns) + 1))
    assert bool(turns) == night.asked
    assert sum(turns.values()) - len(turns) <= lot.gateway_kills


def assert_within_budget(nights: Stage, seen: Seen, night: Night) -> None:
    """By the gateway's own books: the night's account, and the ceilings of the tickets that it started."""
    booked = accounts(nights.gateway_books)
    assert (seen.account in booked) == night.asked
    if night.asked:
        own = booked[seen.account]
        assert own.ceiling == story.USD_PER_NIGHT
        assert own.reserved == 0
        assert 0 < own.spent <= story.USD_PER_NIGHT
        assert seen.outcome.spend is not None
        assert own.spent == seen.outcome.spend.usd
        lent = [_of(booked, ticket).ceiling for ticket in seen.outcome.started]
        assert own.spent + sum(one for one in lent if one) <= story.USD_PER_NIGHT
    assert all(one.ceiling and one.spent <= one.ceiling for one in booked.values())


def _of(booked: dict[str, Account], ticket: str) -> Account:
    [own] = [account for name, account in booked.items() if name.startswith(f"{ticket}.")]
    return own


def assert_tickets_once(nights: Stage) -> None:
    """Every finding has its one ticket; one that came back after it was fixed has a second, which says so."""
    told = [subject for night in story.STORY.values() for subject in night.tickets]
    cards = [text.decode() for card, text in nights.cards().items() if card.startswith("pawl-")]
    ids = [re.findall(r"finding `(\w+)`", text)[0] for text in cards]
    subjects = {entry.id: entry.subject for entry in nights.state().findings}
    assert Counter(subjects[found] for found in ids) == Counter(told)
    returned = [subjects[found] for found, text in zip(ids, cards, strict=True) if AGAIN in text]
    assert returned == [subject for subject, times in Counter(told).items() if times > 1]


def assert_seen_since(nights: Stage) -> None:
    """A finding is as old as the first night that said it."""
    for entry in nights.state().findings:
        first = min(number for number, night in story.STORY.items() if entry.subject in night.standing)
        assert (entry.subject, entry.first_seen) == (entry.subject, nights.moment(first))


async def assert_nothing_runs(nights: Stage) -> None:
    """But the tickets that wait for a person at their gates."""
    assert nights.sandboxes() == []
    assert sorted(await nights.running()) == sorted(f"ticket:board:{ticket}" for ticket in nights.started)
