"""Whom a prepared image serves: what was installed at one commit decides nothing where that commit is not."""

from pathlib import Path

import pytest

from activities.git import TrustedClones
from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.workspace.checkouts import SandboxCheckouts
from tests.ports.workspace.helpers import called, images, prepared, sh
from tests.repos import commit, git
from workflows.domain.environment import Prepare
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Journal
from workflows.ports.sandbox import PolicyUnsupported

pytestmark = pytest.mark.sandbox

PREPARE = Prepare(run=("find tools -type f -exec sh {} +",))


def told(words: str) -> dict[str, str]:
    """What the preparation runs, in a file that no line names."""
    return {"tools/ours/install": f"echo {words} > installed.txt\n"}


async def at(clones: TrustedClones, order: WorkspaceOrder, key: str, branch: str = "trunk") -> WorkspaceOrder:
    """The order of another ticket, at the branch's head."""
    _, sha = await clones.fetch("origin", order.repository.url, branch)
    moved = order.repository.model_copy(update={"base_branch": branch, "base_sha": sha})
    return await prepared(clones, called(order, key).model_copy(update={"repository": moved}), PREPARE)


async def installed(checkouts: SandboxCheckouts, order: WorkspaceOrder) -> str:
    return await sh(await checkouts.open(order), "j", "cat installed.txt")


async def test_what_a_branch_installs_is_not_used_on_another(
    checkouts: SandboxCheckouts, clones: TrustedClones, journal: Journal, order: WorkspaceOrder
) -> None:
    origin = Path(order.repository.url)
    commit(origin, told("trunk"))
    git(origin, "checkout", "-q", "-b", "contributor")
    commit(origin, told("contributor"))
    assert await installed(checkouts, await at(clones, order, "t1", "contributor")) == "contributor\n"
    assert await installed(checkouts, await at(clones, order, "t2")) == "trunk\n"
    assert await installed(checkouts, await at(clones, order, "t3", "contributor")) == "contributor\n"
    assert await images(journal) == 2


async def test_nor_after_it_was_merged(
    checkouts: SandboxCheckouts, clones: TrustedClones, order: WorkspaceOrder
) -> None:
    """A commit in the middle of a branch is contained then, though nobody may have looked at it."""
    origin = Path(order.repository.url)
    commit(origin, told("trunk"))
    git(origin, "checkout", "-q", "-b", "contributor")
    commit(origin, told("contributor"))
    assert await installed(checkouts, await at(clones, order, "t1", "contributor")) == "contributor\n"
    commit(origin, told("trunk"))
    git(origin, "checkout", "-q", "trunk")
    git(origin, "merge", "-q", "--no-ff", "contributor")
    assert await installed(checkouts, await at(clones, order, "t2")) == "trunk\n"


async def test_nor_is_what_was_taken_back_from_the_branch(
    checkouts: SandboxCheckouts, clones: TrustedClones, journal: Journal, order: WorkspaceOrder
) -> None:
    origin = Path(order.repository.url)
    good = commit(origin, told("good"))
    commit(origin, told("bad"))
    assert await installed(checkouts, await at(clones, order, "t1")) == "bad\n"
    git(origin, "reset", "-q", "--hard", good)
    first = await at(clones, order, "t2")
    assert await installed(checkouts, first) == "good\n"
    assert await installed(checkouts, called(first, "t3")) == "good\n"
    commit(origin, {"README": "newer\n"})
    assert await installed(checkouts, await at(clones, order, "t4")) == "good\n"
    assert await images(journal) == 2


async def test_a_commit_that_nobody_knows_any_more_is_contained_nowhere(
    clones: TrustedClones, order: WorkspaceOrder
) -> None:
    origin = Path(order.repository.url)
    good = commit(origin, told("good"))
    lost = commit(origin, told("lost"))
    git(origin, "reset", "-q", "--hard", good)
    repository = (await at(clones, order, "t1")).repository
    assert await clones.base_contains(repository, good)
    assert await clones.base_contains(repository, order.repository.base_sha)
    assert not await clones.base_contains(repository, lost)


async def test_another_image_or_other_surroundings_are_prepared_anew(
    sandbox: BubblewrapSandbox,
    checkouts: SandboxCheckouts,
    clones: TrustedClones,
    journal: Journal,
    order: WorkspaceOrder,
) -> None:
    commit(Path(order.repository.url), told("same"))
    order = await at(clones, order, "t1")
    first = await checkouts.image(order)
    assert await checkouts.image(called(order, "t2")) == first
    named = order.sandbox.model_copy(update={"image": "debian:13"})
    with pytest.raises(PolicyUnsupported, match="debian"):  # it is made anew, and there are no images by name here
        await checkouts.image(order.model_copy(update={"sandbox": named}))
    sandbox.surroundings = "other mounts"
    await checkouts.image(order)
    assert await images(journal) == 2
