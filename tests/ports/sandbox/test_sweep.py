"""A sweep takes what nobody needs any more, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.sandbox.sweep import sweep
from activities.sweeping import Swept
from tests.ports.sandbox.providers import PROVIDERS
from workflows.ports.sandbox import Gone, Sandbox, SandboxRef, SandboxSpec, Transient

pytestmark = pytest.mark.sandbox

OURS = {"owner": "pawl", "installation": "here"}
HOUR = timedelta(hours=1)


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def keys(sandbox: Sandbox) -> dict[str, str]:
    """Two of ours and two of others; the instance by key."""
    specs = {
        "orphan": OURS,
        "alive": OURS,
        "neighbour": OURS | {"installation": "there"},
        "foreign": {"owner": "somebody"},
    }
    return {key: (await sandbox.ensure(SandboxSpec(key=key, labels=labels))).instance for key, labels in specs.items()}


async def living(sandbox: Sandbox) -> set[str]:
    return {info.ref.key for info in await sandbox.list({})}


async def test_only_our_dead_past_their_lease_are_taken(sandbox: Sandbox, keys: dict[str, str]) -> None:
    now = datetime.now(UTC)
    assert await sweep(sandbox, OURS, {"alive"}, HOUR, now) == Swept()
    assert await living(sandbox) == set(keys)
    assert await sweep(sandbox, OURS, {"alive"}, HOUR, now + 2 * HOUR) == Swept(removed=("orphan",))
    assert await living(sandbox) == set(keys) - {"orphan"}
    assert await sweep(sandbox, OURS, {"alive"}, HOUR, now + 2 * HOUR) == Swept()


async def test_what_was_made_anew_has_a_lease_of_its_own(sandbox: Sandbox, keys: dict[str, str]) -> None:
    before = datetime.now(UTC)
    await sandbox.destroy("orphan")
    anew = await sandbox.ensure(SandboxSpec(key="orphan", labels=OURS))
    assert await sweep(sandbox, OURS, {"alive"}, HOUR, before + HOUR) == Swept()
    await sandbox.write(anew, "/work/in-use", b"")


async def test_one_that_cannot_be_taken_does_not_keep_the_others(
    sandbox: Sandbox, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    destroy = sandbox.destroy

    async def stubborn(key: str) -> None:
        if key == "alive":
            raise Transient("not now")
        await destroy(key)

    monkeypatch.setattr(sandbox, "destroy", stubborn)
    swept = await sweep(sandbox, OURS, (), HOUR, datetime.now(UTC) + 2 * HOUR)
    assert swept == Swept(removed=("orphan",), failed=("alive: not now",))
    assert await living(sandbox) == set(keys) - {"orphan"}


async def test_a_sweep_names_what_it_may_take(sandbox: Sandbox, ref: SandboxRef) -> None:
    with pytest.raises(ValueError, match="every sandbox there is"):
        await sweep(sandbox, {}, (), HOUR, datetime.now(UTC) + 2 * HOUR)
    assert await living(sandbox) == {ref.key}


async def test_a_session_whose_sandbox_was_taken_is_told_so(sandbox: Sandbox) -> None:
    ref = await sandbox.ensure(SandboxSpec(key="orphan", labels=OURS))
    await sweep(sandbox, OURS, (), HOUR, datetime.now(UTC) + 2 * HOUR)
    with pytest.raises(Gone):
        await sandbox.read(ref, "/work/file", 1)
