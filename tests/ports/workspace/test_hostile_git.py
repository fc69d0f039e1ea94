"""A checkout whose git is the attacker's: nothing of it runs on the host, and none of it reaches the trusted clone."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from activities.git import TrustedClones
from activities.workspace.checkouts import SandboxCheckouts
from tests.ports.sandbox.providers import LOCAL
from tests.ports.workspace.helpers import sh
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Journal
from workflows.ports.sandbox import Denied, Sandbox
from workflows.ports.workspace import Checkout

pytestmark = pytest.mark.sandbox


@pytest.fixture(params=LOCAL)
async def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Sandbox]:
    sandbox = LOCAL[request.param](tmp_path / "sandboxes")
    yield sandbox
    for info in await sandbox.list({}):
        await sandbox.destroy(info.ref.key)


@pytest.fixture
async def checkout(checkouts: SandboxCheckouts, order: WorkspaceOrder) -> Checkout:
    return await checkouts.open(order)


TRAP = "touch TMP/escaped /work/trapped"
"""What no git of ours runs outside the attacker's own sandbox. TMP is a host folder that exists."""

# Every way a repository can name a command for git, set in the agent's git folder, in ours, and for the home folder.
COMMANDS = {
    "settings that name programs": """
        for key in core.fsmonitor core.sshCommand core.gitProxy core.editor core.pager core.askPass \
            core.alternateRefsCommand credential.helper diff.external gpg.program sequence.editor \
            uploadpack.packObjectsHook \
            filter.evil.clean filter.evil.smudge filter.evil.process diff.evil.textconv diff.evil.command \
            merge.evil.driver \
            interactive.diffFilter init.templateDir receive.procReceiveRefs alias.status alias.add alias.write-tree \
            trailer.x.command fsck.skipList pager.log browser.x.cmd remote.origin.uploadpack remote.origin.receivepack
        do set_everywhere $key "TRAP"; done
        set_everywhere core.hooksPath /work/hooks; set_everywhere core.fsmonitorHookVersion 1
        echo '* filter=evil diff=evil merge=evil ident export-subst' > .gitattributes
    """,
    "hooks": """
        mkdir -p /work/hooks
        for hook in pre-commit post-commit commit-msg prepare-commit-msg post-index-change post-checkout post-merge \
            pre-push reference-transaction pre-receive update post-receive post-update push-to-checkout \
            fsmonitor-watchman pre-auto-gc post-rewrite proc-receive sendemail-validate applypatch-msg
        do for at in /work/hooks .git/hooks /work/.pawl/git/hooks; do
            mkdir -p $at; printf '#!/bin/sh\\nTRAP\\n' > $at/$hook; chmod +x $at/$hook
        done; done
        set_everywhere core.hooksPath /work/hooks
    """,
    "settings that include others": """
        printf '[core]\\n fsmonitor = "TRAP"\\n hooksPath = /work/hooks\\n' > /work/evil.config
        set_everywhere include.path /work/evil.config; set_everywhere includeIf.gitdir:/.path /work/evil.config
        set_everywhere extensions.worktreeConfig true; cp /work/evil.config .git/config.worktree
        cp /work/evil.config /work/home/.gitconfig; mkdir -p /work/home/.config/git
        cp /work/evil.config /work/home/.config/git/config
    """,
    "programs called git": """
        mkdir -p /work/home/.local/bin /work/home/bin bin
        for at in /work/home/.local/bin /work/home/bin bin .; do
            for name in git ssh sh du; do printf '#!/bin/sh\\nTRAP\\n' > $at/$name; chmod +x $at/$name; done
        done
        echo 'TRAP' | tee /work/home/.profile /work/home/.bashrc > /work/home/.bash_profile
    """,
}

# Git folders that lead elsewhere. HOST is a git repository of the host.
ELSEWHERE = {
    "alternates to the host": """
        echo HOST/.git/objects | tee .git/objects/info/alternates > /work/.pawl/git/objects/info/alternates
    """,
    "a git folder that is a file": "rm -rf .git; echo 'gitdir: HOST/.git' > .git",
    "a git folder that is a link": "rm -rf .git /work/.pawl/git; ln -s HOST/.git .git; ln -s HOST/.git /work/.pawl/git",
    "a common folder elsewhere": "echo HOST/.git | tee .git/commondir > /work/.pawl/git/commondir",
    "a work tree elsewhere": "git config core.worktree HOST; GIT_DIR=/work/.pawl/git git config core.worktree HOST",
    "replaced commits and grafts": """
        evil=$(git -c user.name=a -c user.email=a@b commit-tree -m evil "$(git hash-object -t tree -w /dev/null)")
        git replace -f HEAD $evil; git -C /work/.pawl/git replace -f HEAD $evil; echo "$evil" > .git/shallow
        mkdir -p .git/info; echo "$(git rev-parse HEAD)" > .git/info/grafts
    """,
    "references that are links": """
        rm -rf .git/refs .git/HEAD; ln -s HOST/.git/refs .git/refs; ln -s HOST/.git/HEAD .git/HEAD
    """,
    "an index that is a link": """
        rm -f .git/index /work/.pawl/git/index; ln -s HOST/f .git/index; ln -s HOST/f /work/.pawl/git/index
    """,
    "our folder, replaced by links": "rm -rf /work/.pawl; ln -s HOST /work/.pawl",
    "what we read, a link": """
        rm -rf /work/.pawl/out; ln -s HOST /work/.pawl/out; ln -sf HOST/f /work/.pawl/base.bundle
    """,
    "a partial clone of the attacker's": """
        set_everywhere extensions.partialClone origin; set_everywhere remote.origin.url 'ext::TRAP'
    """,
}


def script(attack: str, tmp_path: Path) -> str:
    everywhere = """
        set_everywhere() {
            git config --global "$1" "$2"; git config "$1" "$2"; git config -f /work/.pawl/git/config "$1" "$2"
        } 2>/dev/null
    """
    names = {"TRAP": TRAP, "HOST": f"{tmp_path}/host", "TMP": str(tmp_path)}
    for name, value in names.items():
        attack = attack.replace(name, value)
    return f"{everywhere}\n{attack}\ntrue"


async def kept(checkout: Checkout, clones: TrustedClones, order: WorkspaceOrder, journal: Journal) -> bytes | None:
    """What the trusted clone has of `mine` after keeping; None where the state was refused."""
    try:
        state = await checkout.keep_state("k")
    except Denied:
        return None
    assert state is not None
    sha = await clones.import_state(order.repository, await journal.load(state))
    return await clones.show(order.repository, sha, "mine", 100)


@pytest.mark.parametrize("attack", COMMANDS)
async def test_no_command_a_repository_names_is_run(
    checkout: Checkout,
    checkouts: SandboxCheckouts,
    sandbox: Sandbox,
    clones: TrustedClones,
    order: WorkspaceOrder,
    journal: Journal,
    tmp_path: Path,
    attack: str,
) -> None:
    await sh(checkout, "attack", script(COMMANDS[attack], tmp_path))
    await sh(checkout, "work", "/usr/bin/env PATH=/usr/bin:/bin sh -c 'echo mine > mine; rm -f /work/trapped'")
    state = await checkout.keep_state("k")
    assert state is not None
    sha = await clones.import_state(order.repository, await journal.load(state))
    assert await clones.show(order.repository, sha, "mine", 100) == b"mine\n"
    assert await clones.diff(order.repository, sha)
    again = await checkouts.open(order.model_copy(update={"key": "again", "state": state}))
    assert await again.read("mine", 100) == b"mine\n"
    assert not (tmp_path / "escaped").exists()
    trapped = tmp_path / "sandboxes/again/work/trapped"
    assert not trapped.exists(), "nor does it run in the next sandbox; in its own it may, with the agent's rights"


@pytest.mark.parametrize("attack", ELSEWHERE)
async def test_git_folders_that_lead_elsewhere_read_and_write_nothing_there(
    checkout: Checkout, clones: TrustedClones, order: WorkspaceOrder, journal: Journal, tmp_path: Path, attack: str
) -> None:
    host = tmp_path / "host"
    (host / ".git").mkdir(parents=True)
    (host / "f").write_text("host")
    (host / ".git/HEAD").write_text("host")
    before = {path: path.stat().st_mtime_ns for path in (host, *host.rglob("*"))}
    await sh(checkout, "attack", script(ELSEWHERE[attack], tmp_path))
    await sh(checkout, "work", "echo mine > mine")
    said = await kept(checkout, clones, order, journal)
    assert said in (b"mine\n", None)
    assert {path: path.stat().st_mtime_ns for path in (host, *host.rglob("*"))} == before
    assert not (tmp_path / "escaped").exists()
    clone = clones.path(order.repository.name)
    assert not (clone / "objects/info/alternates").exists()
    assert "evil" not in (clone / "config").read_text()
    assert await clones.git.text("for-each-ref", "refs/replace", repository=clone) == ""
