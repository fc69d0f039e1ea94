"""The sentences people read: they promise no more than will happen."""

import pytest

from workflows.domain.change import Change, PullRequest
from workflows.domain.decision import Action
from workflows.domain.environment import EnvironmentKind, Prepare, environment
from workflows.domain.events import meaning_of_words
from workflows.domain.order import TicketStatus
from workflows.domain.people import Person
from workflows.domain.review import Review
from workflows.domain.ticket import Phase
from workflows.domain.words import (
    ACTIONS,
    counted,
    details,
    gate_hint,
    merge_gate_text,
    preparing_words,
    push_gate_text,
    sandbox_words,
    size_of,
    steering_answer,
    trailers,
    waiting_for,
)

HEAD = "0123456789abcdef" * 2 + "01234567"


@pytest.mark.parametrize(
    ("phase", "paused", "words"),
    [
        (Phase.BUILDING, False, "at its next turn"),
        (Phase.BUILDING, True, "after you resume"),
        (Phase.TODO, False, "first agent"),
        (Phase.PLAN_GATE, False, "no agent works while the plan waits"),
        (Phase.PUSH_GATE, False, "no agent works while the change waits"),
        (Phase.MERGE_GATE, False, "after an approval nobody does"),
        (Phase.QUESTION, False, "waits for your answer"),
        (Phase.BUDGET_GATE, False, "after a top-up"),
        (Phase.BLOCKED, False, "until you resume"),
    ],
)
def test_who_steers_learns_when_it_is_heard(phase: Phase, paused: bool, words: str) -> None:
    assert words in steering_answer(phase, paused)


def test_no_waiting_phase_promises_a_next_turn() -> None:
    waiting = [phase for phase in Phase if phase.waits_for_a_person]
    assert all(steering_answer(phase).startswith("Kept: ") for phase in waiting)


@pytest.mark.parametrize(("number", "said"), [(0, "0 turns"), (1, "1 turn"), (2, "2 turns"), (1_000, "1,000 turns")])
def test_one_is_not_many(number: int, said: str) -> None:
    assert counted(number, "turn") == said


def test_people_read_the_short_form_of_a_hash() -> None:
    waits = TicketStatus(
        identifier="ENG-1",
        title="",
        account="a",
        phase=Phase.MERGE_GATE,
        waiting_for=waiting_for(Phase.MERGE_GATE),
        subject=HEAD,
    )
    for page in (gate_hint("ENG-1", HEAD), gate_hint("ENG-1", HEAD, answers_here=True), details(waits)):
        assert f"{HEAD[:12]}`" in page
        assert HEAD not in page


def test_who_decides_is_told_how_to_mean_exactly_what_is_shown() -> None:
    assert gate_hint("ENG-1", HEAD) == (
        "Approve with `pawl approve ENG-1 --of 0123456789ab`, or send the signal `approve` in the Temporal UI."
    )
    words = gate_hint("ENG-1", HEAD, answers_here=True).split("`")[3]
    meaning = meaning_of_words(Phase.MERGE_GATE, words)
    assert isinstance(meaning, tuple)
    assert (meaning[0], meaning[1].of) == (Action.APPROVE, HEAD[:12])


def test_an_agents_question_cannot_pass_for_what_pawl_offers() -> None:
    asked = (
        "Left?\n\nWhat waits has the hash `abc`.\n\n| send this signal | what it does |\n|---|---|\n| `abort` | Yes |"
    )
    page = details(
        TicketStatus(
            identifier="ENG-1",
            title="",
            account="a",
            phase=Phase.QUESTION,
            waiting_for=waiting_for(Phase.QUESTION, asked),
        )
    )
    assert [line for line in page.splitlines() if line.startswith("| `")] == [
        f"| `answer` | {ACTIONS[Action.ANSWER]} |"
    ]
    assert not any(line.startswith("What waits") for line in page.splitlines())


ASKED = Change(
    branch="b",
    head_sha=HEAD,
    files=2,
    insertions=1_000,
    deletions=0,
    binaries=("logo.png", "2 more"),
    asks=("`.github/workflows/ci.yml`",),
    shown="+run: deploy\n+**Approved.** Nothing to see",
)


def test_the_push_gate_names_the_paths_and_shows_the_diff_as_a_block_of_text() -> None:
    page = push_gate_text(ASKED)
    assert "- `.github/workflows/ci.yml`" in page
    assert "    +run: deploy\n    +**Approved.**" in page, "what an agent wrote cannot pass for our words"
    status = TicketStatus(identifier="ENG-1", title="", account="a", phase=Phase.PUSH_GATE, change=page)
    assert page in details(status)
    assert page not in details(status.model_copy(update={"phase": Phase.REVIEWING}))


def test_binary_files_are_said_wherever_the_size_is() -> None:
    assert size_of(ASKED.model_copy(update={"insertions": 1, "binaries": ()})) == "2 files, 1 line added, 0 removed"
    assert size_of(ASKED) == "2 files, 1,000 lines added, 0 removed; binary: logo.png, 2 more"
    pull_request = PullRequest(number=1, url="u", branch="b", head_sha=HEAD)
    page = merge_gate_text(pull_request, Review(summary="Good."), ASKED)
    assert "`.github/workflows/ci.yml`" in page, "what is protected is listed at the merge gate in any case"
    assert "logo.png" in page
    plain = ASKED.model_copy(update={"asks": (), "binaries": ()})
    assert merge_gate_text(pull_request, Review(summary="Good."), plain) == "Pull request 1 is ready: u"


@pytest.mark.parametrize(
    ("prepared", "notes", "said"),
    [
        (0, (), "The sandbox is ready after 1.5 s: bubblewrap; environment: plain."),
        (92.0, (), "The sandbox is ready after 1.5 s: bubblewrap; environment: plain, prepared once in 92 s."),
        (0, ("No image.",), "The sandbox is ready after 1.5 s: bubblewrap; environment: plain. No image."),
    ],
)
def test_where_commands_run_is_one_sentence(prepared: float, notes: tuple[str, ...], said: str) -> None:
    assert sandbox_words("bubblewrap", "plain", 1.5, prepared, notes) == said


def test_what_may_take_long_is_said_before() -> None:
    assert preparing_words(environment(EnvironmentKind.PLAIN, Prepare(), {})) == ""
    said = preparing_words(environment(EnvironmentKind.PLAIN, Prepare(run=("make deps",), seconds=3_600), {}))
    assert said.startswith("Preparing the environment with 1 command, 3,600 s at most for each, unless an image")


def test_whoever_approved_shares_the_authorship_where_their_service_gives_an_address() -> None:
    assert trailers("ENG-1", "Ada", "ada@acme.com") == "Ticket: ENG-1\nCo-authored-by: Ada <ada@acme.com>"
    assert trailers("ENG-1", "Ada <x@y>\nFixes: #1", "ada@acme.com").count("\n") == 1
    for name, email in (("Ada", ""), ("", "ada@acme.com"), ("", "")):
        assert trailers("ENG-1", name, email) == "Ticket: ENG-1"


def test_an_address_is_what_a_service_gives_as_one() -> None:
    given = ["ada@acme.com", "ada", "Ada <ada@acme.com>", "a@b\nc", "a@b@c"]
    people = [Person(place="linear", id="1", handle=handle) for handle in given]
    assert [person.email for person in people] == ["ada@acme.com", "", "", "", ""]
