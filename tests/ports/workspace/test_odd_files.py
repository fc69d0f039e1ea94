"""Submodules, LFS pointers, links and names on their way through a sandbox and out of it again."""

from pathlib import Path

import pytest

from activities.git import Rules, TrustedClones, inspected
from activities.workspace.checkouts import SandboxCheckouts
from tests.ports.workspace.helpers import sh
from tests.repos import commit, git, make_repository
from workflows.domain.change import Repository
from workflows.domain.policy import ChangeLimits, ProtectedPaths, SandboxPolicy, SecretScan
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Journal
from workflows.ports.sandbox import Denied

pytestmark = pytest.mark.sandbox

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'1' * 64}\nsize 12\n"


@pytest.fixture
async def repository(tmp_path: Path, clones: TrustedClones) -> Repository:
    """A repository with a submodule and with LFS, whose filter would leave a trace if anything ran it."""
    source = make_repository(tmp_path / "odd")
    module = '[submodule "lib"]\n\tpath = vendor/lib\n\turl = https://127.0.0.1:1/lib\n'
    files = {"model.bin": POINTER, ".gitattributes": "*.bin filter=lfs -text\n", ".gitmodules": module, "a.txt": "a\n"}
    commit(source, files)
    git(source, "update-index", "--add", "--cacheinfo", f"160000,{'5' * 40},vendor/lib")
    git(source, "commit", "-q", "-m", "submodule")
    branch, sha = await clones.fetch("odd", str(source))
    return Repository(name="odd", url=str(source), base_branch=branch, base_sha=sha)


@pytest.fixture
def order(repository: Repository) -> WorkspaceOrder:
    return WorkspaceOrder(key="odd.builder1", repository=repository, sandbox=SandboxPolicy(memory_mb=512, seconds=20))


async def test_what_the_agent_leaves_alone_comes_out_as_it_was(
    checkouts: SandboxCheckouts, order: WorkspaceOrder, repository: Repository, clones: TrustedClones, journal: Journal
) -> None:
    checkout = await checkouts.open(order)
    assert await checkout.read("model.bin", 1_000) == POINTER.encode(), "no filter has run"
    assert await checkout.keep_state("untouched") is None
    await sh(checkout, "work", "ln -s a.txt inside; echo 1 > ./-rf; echo 1 > ' $(touch x);`id`'; echo b >> a.txt")
    state = await checkout.keep_state("kept")
    assert state is not None
    made = await clones.import_state(repository, await journal.load(state))
    rules = Rules(ChangeLimits(), ProtectedPaths(), SecretScan())
    seen = await inspected(clones, repository, made, rules)
    assert (seen.problems, seen.asks) == ((), ())
    assert await clones.show(repository, made, "inside", 10) == b"a\nb\n"
    stat = await clones.diffstat(repository, made)
    assert stat.files == 4, "submodule and pointer are as they were"


HARMFUL = {
    "ln -s /etc/passwd out": "leads out of the checkout",
    "ln -s ../../etc out": "leads out of the checkout",
    "git init -q inner && git -C inner -c user.name=a -c user.email=a@b commit -q --allow-empty -m x": "repository of",
    "echo 1 > \"$(printf 'two\\nlines')\"": "control characters",
    "echo 1 > \"$(printf 'caf\\351')\"": "is not UTF-8",
}


@pytest.mark.parametrize("command", list(HARMFUL))
async def test_what_would_harm_others_is_refused_in_words(
    checkouts: SandboxCheckouts, order: WorkspaceOrder, command: str
) -> None:
    checkout = await checkouts.open(order)
    await sh(checkout, "work", command)
    with pytest.raises(Denied, match=HARMFUL[command]):
        await checkout.keep_state("kept")
