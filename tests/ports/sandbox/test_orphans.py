"""Orphans: what a ticket that has ended left behind goes, on a schedule; what works or waits stays."""

from datetime import UTC, datetime

import pytest

from activities.sandbox.orphans import LEASE, sweep_orphans
from tests.ports.sandbox.providers import LOCAL
from workflows.ports.sandbox import OURS, Sandbox, SandboxSpec

pytestmark = pytest.mark.sandbox


@pytest.fixture(params=LOCAL)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def is_alive(ticket: str) -> bool:
    if ticket == "T-9":
        raise OSError("Temporal is away")
    return ticket == "T-1"


async def test_only_tickets_that_have_ended_lose_their_old_sandboxes(sandbox: Sandbox) -> None:
    for key, labels in (
        ("working", {**OURS, "ticket": "T-1"}),
        ("ended", {**OURS, "ticket": "T-2"}),
        ("preparation", {**OURS, "ticket": ""}),
        ("somebody-elses", {"ticket": "T-2"}),
    ):
        await sandbox.ensure(SandboxSpec(key=key, labels=labels))
    now = datetime.now(UTC)
    assert (await sweep_orphans(sandbox, is_alive, now)).removed == ()
    swept = await sweep_orphans(sandbox, is_alive, now + 2 * LEASE)
    assert sorted(swept.removed) == ["ended", "preparation"]
    assert sorted(info.ref.key for info in await sandbox.list({})) == ["somebody-elses", "working"]


async def test_where_nobody_can_say_who_is_alive_nothing_goes(sandbox: Sandbox) -> None:
    await sandbox.ensure(SandboxSpec(key="unknown", labels={**OURS, "ticket": "T-9"}))
    await sandbox.ensure(SandboxSpec(key="ended", labels={**OURS, "ticket": "T-2"}))
    with pytest.raises(OSError, match="away"):
        await sweep_orphans(sandbox, is_alive, datetime.now(UTC) + 2 * LEASE)
    assert len(await sandbox.list({})) == 2
