"""Run tokens: made by whoever has the secret, good for one session."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.domain.tokens import run_token, token_session


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_a_token_names_its_session(session: str) -> None:
    token = run_token("secret", session)
    assert token_session("secret", token) == session
    assert token_session("other", token) is None
    assert "secret" not in token
    assert token.isascii()


@pytest.mark.parametrize(("old", "new"), [("pawl.", ""), ("pawl.", "powl."), (".", "..")])
def test_a_changed_token_is_none(old: str, new: str) -> None:
    token = run_token("secret", "t1.builder1")
    assert token_session("secret", token.replace(old, new, 1)) is None
    assert token_session("secret", token + "0") is None
    assert token_session("secret", token[:-1]) is None


def test_a_token_of_one_session_does_not_open_another() -> None:
    mine, other = run_token("secret", "a"), run_token("secret", "b")
    mixed = f"pawl.{other.split('.')[1]}.{mine.split('.')[2]}"
    assert token_session("secret", mixed) is None


@pytest.mark.parametrize(
    "token", ["", "pawl", "pawl.", "pawl..", "pawl.%%%.00", "pawl._w.00", "sk-ant-key", "pawl.YQ.\xe9"]
)
def test_nonsense_is_none(token: str) -> None:
    assert token_session("secret", token) is None
