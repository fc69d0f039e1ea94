"""From the tape by default, live only with a model that can be paid, and never by mistake."""

import pytest

from infra.demo.terms import CEILING, Terms, terms
from infra.exits import Misused, NoAccess
from infra.settings import Settings


def asked(model: str, reviewer_model: str = "") -> Terms:
    return terms(Settings(model=model, reviewer_model=reviewer_model))


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_without_a_model_the_tape_plays() -> None:
    assert (asked("").live, asked("").usd) == (False, None)


def test_live_has_a_ceiling() -> None:
    agreed = asked("anthropic:claude-sonnet-4-5")
    assert (agreed.live, agreed.usd) == (True, CEILING)


@pytest.mark.parametrize(
    ("model", "reviewer_model", "error", "words"),
    [
        ("openai:gpt-5", "", NoAccess, "OPENAI_API_KEY is not set"),
        ("anthropic:claude-sonnet-4-5", "openai:gpt-5", NoAccess, "OPENAI_API_KEY is not set"),
        ("tape:0123", "", Misused, "'tape:0123'"),
        ("claude-sonnet-4-5", "", Misused, "anthropic:... or openai:..."),
        ("anthropic:", "", Misused, "'anthropic:'"),
    ],
)
def test_what_cannot_run_is_said_before_anything_starts(
    model: str, reviewer_model: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        asked(model, reviewer_model)
