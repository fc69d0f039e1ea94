"""Prepared images cost whoever pays the provider: those nobody uses any more go, and no others."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.git import TrustedClones
from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sweeping import Swept
from activities.workspace.checkouts import SandboxCheckouts
from activities.workspace.image_uses import KEPT, ImageUses
from activities.workspace.prepared import Image
from workflows.domain.environment import EnvironmentKind, Prepare, environment
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Entry, EntryKind, Journal
from workflows.ports.sandbox import Gone, SandboxSpec, Transient

pytestmark = pytest.mark.sandbox

DAY = timedelta(days=1)


@pytest.fixture
def uses(sandbox: BubblewrapSandbox, journal: Journal) -> ImageUses:
    return ImageUses(sandbox, journal)


@pytest.fixture
async def preparing(clones: TrustedClones, order: WorkspaceOrder) -> WorkspaceOrder:
    blobs = await clones.blobs(order.repository, order.repository.base_sha)
    install = Prepare(run=("echo made > own.txt",))
    return order.model_copy(update={"environment": environment(EnvironmentKind.PLAIN, install, blobs)})


async def made(checkouts: SandboxCheckouts, order: WorkspaceOrder) -> Image:
    image = await checkouts.image(order)
    assert image
    return image


async def exists(sandbox: BubblewrapSandbox, image: Image) -> bool:
    try:
        await sandbox.ensure(SandboxSpec(key="look", snapshot=image.reference))
    except Gone:
        return False
    await sandbox.destroy("look")
    return True


async def used_at(journal: Journal, monkeypatch: pytest.MonkeyPatch, image: Image, at: datetime) -> None:
    """As if it had been used then."""
    entry = Entry(session="images:bubblewrap", seq=0, kind=EntryKind.IMAGE_USED, key=f"then/{at}", body=image.reference)

    class Then(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return at

    with monkeypatch.context() as patched:
        patched.setattr("infra.journal.datetime", Then)
        await journal.put(entry)


async def test_an_image_goes_when_nobody_has_used_it_for_30_days_and_is_made_again(
    sandbox: BubblewrapSandbox, checkouts: SandboxCheckouts, uses: ImageUses, preparing: WorkspaceOrder
) -> None:
    image, now = await made(checkouts, preparing), datetime.now(UTC)
    assert await uses.sweep(now + KEPT - DAY) == Swept()
    assert await exists(sandbox, image)
    assert await uses.sweep(now + KEPT + DAY) == Swept(removed=(image.reference,))
    assert not await exists(sandbox, image)
    assert await uses.sweep(now + KEPT + DAY) == Swept()
    again = await made(checkouts, preparing)
    assert again.reference != image.reference
    assert await made(checkouts, preparing) == again
    assert await uses.sweep(now + KEPT - DAY) == Swept()


async def test_a_use_keeps_it_for_30_days_more(
    journal: Journal,
    checkouts: SandboxCheckouts,
    uses: ImageUses,
    preparing: WorkspaceOrder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, now = await made(checkouts, preparing), datetime.now(UTC)
    await used_at(journal, monkeypatch, image, now + 20 * DAY)
    assert await uses.sweep(now + KEPT + 19 * DAY) == Swept()
    assert await uses.sweep(now + KEPT + 21 * DAY) == Swept(removed=(image.reference,))


async def test_of_a_worker_that_uses_it_and_one_that_removes_it_one_gives_way(
    sandbox: BubblewrapSandbox,
    journal: Journal,
    checkouts: SandboxCheckouts,
    uses: ImageUses,
    preparing: WorkspaceOrder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, later = await made(checkouts, preparing), datetime.now(UTC) + KEPT + DAY
    put = journal.put

    async def put_and_be_overtaken(entry: Entry) -> Entry:
        if entry.kind is EntryKind.IMAGE_RETIRED:
            await used_at(journal, monkeypatch, image, later)
        return await put(entry)

    with monkeypatch.context() as patched:
        patched.setattr(journal, "put", put_and_be_overtaken)
        assert await uses.sweep(later) == Swept(), "the other one was faster"
    assert await exists(sandbox, image)
    assert not await uses.begin(image.reference), "and whoever comes now makes another"
    assert (await made(checkouts, preparing)).reference != image.reference


async def test_what_the_vendor_will_not_remove_is_tried_again(
    sandbox: BubblewrapSandbox,
    checkouts: SandboxCheckouts,
    uses: ImageUses,
    preparing: WorkspaceOrder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, later = await made(checkouts, preparing), datetime.now(UTC) + KEPT + DAY

    async def refuse(_: str) -> None:
        raise Transient("not now")

    with monkeypatch.context() as patched:
        patched.setattr(sandbox, "forget", refuse)
        assert await uses.sweep(later) == Swept(failed=(f"{image.reference}: not now",))
    assert await uses.sweep(later) == Swept(removed=(image.reference,))
