"""Money: what may be sent, and how much a request can cost at most."""

from decimal import Decimal

import pytest

from workflows.domain.budget import Ceilings, Spend, fits, input_token_bound


@pytest.mark.parametrize(
    ("ceiling", "spent", "reserved", "worst", "expected"),
    [
        ("1", "0", "0", "1", True),  # to the last cent
        ("1", "0.5", "0.3", "0.2", True),
        ("1", "0.5", "0.3", "0.21", False),
        ("0", "0", "0", "0.000001", False),
        ("0", "0", "0", "0", True),
        (None, "100", "100", "100", True),  # no ceiling in force
    ],
)
def test_fits(ceiling: str | None, spent: str, reserved: str, worst: str, *, expected: bool) -> None:
    limit = None if ceiling is None else Decimal(ceiling)
    assert fits(limit, Decimal(spent), Decimal(reserved), Decimal(worst)) is expected


@pytest.mark.parametrize(
    ("body", "last_body", "last_tokens", "bound"),
    [
        (1_000, 0, 0, 1_000),  # a token is at least a byte
        (1_500, 1_000, 300, 800),  # what was counted, plus a token for every byte that came
        (900, 1_000, 300, 900),  # a conversation that shrank tells nothing
        (1_100, 1_000, 5_000, 1_100),  # never worse than the size itself
    ],
)
def test_input_token_bound(body: int, last_body: int, last_tokens: int, bound: int) -> None:
    assert input_token_bound(body, last_body, last_tokens) == bound


def test_spend_adds_up_field_by_field() -> None:
    one = Spend(turns=1, input_tokens=2, cached_tokens=3, output_tokens=4, usd=Decimal("0.1"), unpriced=1)
    two = one.plus(one)
    assert two.model_dump(exclude={"recorded_usd"}) == {
        "turns": 2,
        "input_tokens": 4,
        "cached_tokens": 6,
        "output_tokens": 8,
        "usd": Decimal("0.2"),
        "unpriced": 2,
    }
    assert two.tokens == 12


def test_only_ceilings_that_are_in_force_are_raised() -> None:
    none = Ceilings()
    assert none.raised(Decimal(5), 5) == none
    assert not none.in_dollars
    assert not none.in_tokens
    some = Ceilings(usd=Decimal(5), tokens_per_session=100)
    assert some.raised(Decimal("0.5"), 0) == Ceilings(usd=Decimal("5.5"), tokens_per_session=100)
    assert some.raised(Decimal(0), 50) == Ceilings(usd=Decimal(5), tokens_per_session=150)
    assert Ceilings(usd_per_session=Decimal(1)).in_dollars
    assert Ceilings(tokens=1).in_tokens
