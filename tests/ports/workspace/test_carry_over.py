"""A ticket's files on a newer base: the same sandbox key, other files."""

from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.git import TrustedClones
from activities.workspace.checkouts import SandboxCheckouts
from activities.workspace.sandboxed import SandboxWorkspace
from tests.repos import commit
from workflows.domain.change import Repository
from workflows.domain.failures import Failure
from workflows.domain.session import WorkspaceOrder
from workflows.ports.workspace import CarryOver

pytestmark = pytest.mark.sandbox


async def moved_on(clones: TrustedClones, repository: Repository, files: dict[str, str]) -> Repository:
    commit(Path(repository.url), files)
    _, sha = await clones.fetch(repository.name, repository.url)
    return repository.model_copy(update={"base_sha": sha})


async def test_the_next_session_finds_the_change_on_the_newer_base(
    workspace: SandboxWorkspace, checkouts: SandboxCheckouts, clones: TrustedClones, order: WorkspaceOrder
) -> None:
    agents = await checkouts.open(order)
    await agents.write("README", b"ours\n")
    await agents.write("new.txt", b"new\n")
    changed = order.model_copy(update={"state": await agents.keep_state("k")})
    onto = await moved_on(clones, order.repository, {"README": "theirs\n", "src/code.py": "x = 2\n"})
    carried = await workspace.carry_over(CarryOver(workspace=changed, onto=onto))
    assert carried == await workspace.carry_over(CarryOver(workspace=changed, onto=onto))
    assert carried.conflicts == ("README",)
    there = await checkouts.open(order.model_copy(update={"repository": onto, "state": carried.state}))
    marked = (await there.read("README", 1_000)).decode()
    assert "<<<<<<<" in marked
    assert "ours\n" in marked
    assert "theirs\n" in marked
    assert await there.read("src/code.py", 100) == b"x = 2\n"
    assert await there.read("new.txt", 100) == b"new\n"
    await there.write("README", b"both\n")
    assert await there.keep_state("resolved") not in (None, carried.state)


async def test_a_state_that_is_lost_waits_for_a_person(
    workspace: SandboxWorkspace, clones: TrustedClones, order: WorkspaceOrder
) -> None:
    onto = await moved_on(clones, order.repository, {"README": "theirs\n"})
    lost = order.model_copy(update={"state": "sha256:" + "0" * 64})
    with pytest.raises(ApplicationError) as refused:
        await workspace.carry_over(CarryOver(workspace=lost, onto=onto))
    assert (refused.value.type, refused.value.non_retryable) == (Failure.SANDBOX_REFUSED.value, True)


async def test_no_change_is_carried_over_as_none(
    workspace: SandboxWorkspace, clones: TrustedClones, order: WorkspaceOrder
) -> None:
    onto = await moved_on(clones, order.repository, {"README": "theirs\n"})
    assert (await workspace.carry_over(CarryOver(workspace=order, onto=onto))).state is None
