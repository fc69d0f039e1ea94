"""Labels as columns."""

import pytest

from workflows.domain.labels import column_of


@pytest.mark.parametrize(
    ("labels", "closed", "reason", "column"),
    [
        ([], False, "", "Todo"),
        (["bug"], False, "", "Todo"),
        (["bug", "Pawl"], False, "", "Agent Todo"),
        (["pawl: Building"], False, "", "Building"),
        (["pawl", "pawl: Plan gate"], False, "", "Plan gate"),
        (["pawl: Planning", "pawl: Building"], False, "", "Building"),  # between two writes it is in both
        (["pawl: Waiting for Ada"], False, "", "Waiting for Ada"),
        ([], True, "", "Done"),
        ([], True, "completed", "Done"),
        ([], True, "not_planned", "Cancelled"),
        ([], True, "duplicate", "Cancelled"),
        (["pawl: Building"], True, "completed", "Done"),
        (["pawl: Gave up"], True, "completed", "Gave up"),
        (["pawl"], True, "not_planned", "Cancelled"),
    ],
)
def test_the_column_of_an_issue(labels: list[str], closed: bool, reason: str, column: str) -> None:
    assert column_of(labels, closed=closed, reason=reason, trigger="pawl") == column


def test_without_a_trigger_no_label_asks() -> None:
    assert column_of(["", "pawl"], closed=False, reason="", trigger="") == "Todo"
