"""A preparation that reaches for what its image's sandboxes measure work with: nothing of that is in the image."""

from pathlib import Path

import pytest

from activities.git import TrustedClones
from activities.workspace import places
from activities.workspace.checkouts import SandboxCheckouts
from tests.ports.workspace.helpers import called, images, prepared, sh
from tests.repos import commit, git, git_bytes, make_repository
from workflows.domain.environment import Prepare
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Journal

pytestmark = pytest.mark.sandbox

_GIT = "git --git-dir /work/.pawl/git --work-tree /work/repo"
_FORGE = """
import glob, os, subprocess, zlib
os.chdir("/work/.pawl/git/objects")
blob = subprocess.check_output(["git", "-C", "/work/repo", "rev-parse", "HEAD:README"], text=True).strip()
for pack in glob.glob("pack/*.pack"):
    os.rename(pack, "/work/pack")
    subprocess.run(["git", "--git-dir", "..", "unpack-objects", "-q"], stdin=open("/work/pack"), check=True)
for left in glob.glob("pack/*"):
    os.remove(left)
forged = f"{blob[:2]}/{blob[2:]}"
os.chmod(forged, 0o600)
with open(forged, "wb") as file:
    file.write(zlib.compress(b"blob 7\\0forged\\n"))
os.remove("/work/repo/README")
os.remove("../index")
"""
ATTACKS = {
    "a filter": f"""
        {_GIT} config filter.x.clean 'sed s/good/evil/'; {_GIT} config filter.x.smudge cat
        mkdir -p /work/.pawl/git/info; echo '*.txt filter=x' > /work/.pawl/git/info/attributes
    """,
    "an index that looks away": f"""
        {_GIT} update-index --skip-worktree README src/code.py
        echo forged > README; echo forged > src/code.py
    """,
    "an index that believes": f"""
        {_GIT} update-index --assume-unchanged README src/code.py
        echo forged > README; echo forged > src/code.py
    """,
    "a forged object": f"python3 - <<'END'\n{_FORGE}\nEND\n",
    "a state": f"""
        echo forged > README; {_GIT} add README
        commit=$({_GIT} -c user.name=x -c user.email=x commit-tree -m x -p refs/pawl/base $({_GIT} write-tree))
        {_GIT} update-ref refs/heads/x $commit; {_GIT} bundle create -q /work/.pawl/state.bundle refs/heads/x
    """,
    "files that are no change": r"""
        for file in prepared exclude git/info/exclude; do printf '\52\n' > /work/.pawl/$file; done
    """,
    "a folder of its own": "rm -rf /work/.pawl; ln -s /work/repo/.git /work/.pawl; ln -s /work/repo/.git .git/git",
}
READ = "cat README src/code.py; git status --short"


@pytest.mark.parametrize("attack", ATTACKS)
async def test_work_is_measured_as_it_is(
    attack: str,
    checkouts: SandboxCheckouts,
    clones: TrustedClones,
    journal: Journal,
    order: WorkspaceOrder,
) -> None:
    prepare = Prepare(run=(ATTACKS[attack],))
    first = await prepared(clones, order, prepare)
    commit(Path(order.repository.url), {"other.md": "newer\n"})
    _, sha = await clones.fetch("origin", order.repository.url)
    moved = order.repository.model_copy(update={"base_sha": sha})
    second = await prepared(clones, called(order, "t2").model_copy(update={"repository": moved}), prepare)
    for ticket in (first, second):
        checkout = await checkouts.open(ticket)
        assert await sh(checkout, "read", READ) == "hello\nx = 1\n"
        await sh(checkout, "work", "echo good > README; echo good > new.txt")
        state = await checkout.keep_state("keep")
        assert state is not None
        kept = await clones.import_state(ticket.repository, await journal.load(state))
        for path in ("README", "new.txt"):
            assert await clones.show(ticket.repository, kept, path, 100) == b"good\n"
    assert await images(journal) == 1


def test_what_lies_in_a_home_folder_that_stays_decides_nothing(tmp_path: Path) -> None:
    """At some providers /tmp, our git's home, is part of the image."""
    folder = make_repository(tmp_path / "repository", {"a.txt": "a\n"})
    (tmp_path / ".config/git").mkdir(parents=True)
    (tmp_path / ".config/git/ignore").write_text("*\n")
    (tmp_path / ".config/git/attributes").write_text("*.txt text eol=crlf\n")
    (folder / "b.txt").write_bytes(b"b\r\n")
    at = {"GIT_DIR": str(folder / ".git"), "GIT_WORK_TREE": str(folder), "HOME": str(tmp_path)}
    git(folder, "add", "-A", ".", env=places.ENVIRONMENT | at)
    assert git_bytes(folder, "show", ":b.txt") == b"b\r\n"
