"""What people may leave in a schedule's input, and what is said of it."""

from typing import Any

import pytest

from workflows.domain.loop import LoopOrder
from workflows.domain.loop_input import read_input, readable

SWEEP = {"name": "sweep", "flow": "Sweep"}


@pytest.mark.parametrize(
    "given",
    [
        SWEEP,
        {**SWEEP, "title": "Sweep", "order": {"remind_after": "never", "keep_closed": 86_400}},
        {"name": "triage:a", "flow": "Triage", "order": {"name": "triage:a", "repository": "/a", "model": "a:m"}},
    ],
)
def test_what_can_be_read_is_the_order(given: dict[str, Any]) -> None:
    assert read_input(given) == LoopOrder.model_validate(given)


def test_every_slip_is_told_at_once() -> None:
    wrong = {"keep_closed": "soon", "remind_after": -1, "remind": "3d"}
    said = read_input({**SWEEP, "order": wrong})
    assert isinstance(said, str)
    assert "`order.keep_closed` cannot be used: 'soon' is no time here. Write a time such as 30m" in said
    assert said.count("soon") == 1
    assert "`order.remind_after` cannot be used: Input should be greater than or equal to 0, not -1." in said
    assert "There is no key 'order.remind'. Did you mean `remind_after`?" in said
    assert readable("Sweep", {**wrong, "name": "sweep"}) == {"name": "sweep"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"flow": "Sweep"}, "`name` is missing."),
        ({**SWEEP, "ordr": {}}, "There is no key 'ordr'. Did you mean `order`?"),
        ({**SWEEP, "order": []}, "`order` cannot be used: Input should be a valid dictionary, not []."),
        ({**SWEEP, "flow": 7}, "`flow` cannot be used: Input should be a valid string, not 7."),
        ([SWEEP], "It must be an object with the keys `name`, `title`, `flow`, `order`, not [{'name'"),
    ],
)
def test_the_order_around_it_is_read_as_strictly(given: object, says: str) -> None:
    assert str(read_input(given)).startswith(says)
