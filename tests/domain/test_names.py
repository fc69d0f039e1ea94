"""The names of two runs of one ticket differ, however soon one follows the other."""

from workflows import names
from workflows.domain.ticket import TicketRef


def test_two_runs_within_a_minute_have_accounts_and_branches_of_their_own() -> None:
    """Temporal's run ids begin with the time in milliseconds."""
    ref = TicketRef(tracker="board", id="ENG-1")
    first = names.ticket_account(ref, "01a1fc2b-ba11-7d50-b29d-f8e3c871decb")
    second = names.ticket_account(ref, "01a1fc2b-e88d-7688-a737-cc5a48dd6b4c")
    assert first != second
    assert names.branch("pawl/", "ENG-1", first) != names.branch("pawl/", "ENG-1", second)
