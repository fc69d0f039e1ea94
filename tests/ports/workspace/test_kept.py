"""What a ticket's turns keep has a size in all, and small changes are kept whatever came before."""

import pytest

from activities.workspace import kept
from activities.workspace.checkouts import SandboxCheckouts
from activities.workspace.kept import keep_state
from infra.journal import reference
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Journal
from workflows.ports.sandbox import Denied

LARGE, SMALL = 1_000, 10


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_BYTES", 3 * LARGE)
    monkeypatch.setattr(kept, "ALWAYS_BYTES", SMALL)


def state(letter: str, size: int = LARGE) -> bytes:
    return letter.encode() * size


async def test_a_ticket_that_has_used_its_room_up_keeps_small_changes_only(journal: Journal) -> None:
    for letter in "abc":
        assert await keep_state(journal, "t1.work", state(letter)) == reference(state(letter))
    with pytest.raises(Denied, match=r"have kept 3,000 bytes of changes, and 1,000 more do not fit into 3,000"):
        await keep_state(journal, "t1.work", state("d"))
    with pytest.raises(KeyError):
        await journal.load(reference(state("d")))
    small = await keep_state(journal, "t1.work", state("e", SMALL))
    assert await journal.load(small) == state("e", SMALL)


async def test_the_same_state_counts_once_and_for_its_ticket_only(journal: Journal) -> None:
    for _ in range(5):
        await keep_state(journal, "t1.work", state("a"))
    for letter in "bc":
        await keep_state(journal, "t1.work", state(letter))
    await keep_state(journal, "t1.work", state("a"))
    await keep_state(journal, "t2.work", state("d"))


@pytest.mark.sandbox
async def test_a_turn_whose_state_has_no_room_is_told(
    checkouts: SandboxCheckouts, order: WorkspaceOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = await checkouts.open(order)
    await checkout.write("a.txt", b"a\n")
    first = await checkout.keep_state("k1")
    monkeypatch.setattr(kept, "MOST_BYTES", 1)
    assert await checkout.keep_state("k2") == first
    await checkout.write("a.txt", b"b\n")
    with pytest.raises(Denied, match="Take large files out of the checkout"):
        await checkout.keep_state("k3")
    await checkout.write("a.txt", b"a\n")
    again = await checkouts.open(order)
    assert await again.keep_state("k4") == first
