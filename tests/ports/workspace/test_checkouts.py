"""Checkouts: made, found again, taken out of, and never trusted."""

import asyncio
from pathlib import Path

import pytest

from activities.git import TrustedClones
from activities.workspace.checkouts import SandboxCheckouts
from tests.ports.workspace.helpers import FILES, kill_supervisor, sh
from tests.repos import git
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Journal
from workflows.ports.sandbox import Denied, ExitReason, Gone, Sandbox

pytestmark = pytest.mark.sandbox


async def test_a_new_checkout_is_the_base_as_git_shows_it(checkouts: SandboxCheckouts, order: WorkspaceOrder) -> None:
    checkout = await checkouts.open(order)
    script = "pwd; git status --short --branch; git rev-parse HEAD; cat src/code.py; git log --oneline | wc -l"
    expected = f"/work/repo\n## trunk\n{order.repository.base_sha}\nx = 1\n1\n"
    assert await sh(checkout, "j", script) == expected
    assert await checkout.read("data.bin", 300) == FILES["data.bin"]
    assert await checkout.keep_state("k") is None


async def test_a_state_comes_back_in_another_sandbox_as_a_diff(
    checkouts: SandboxCheckouts, sandbox: Sandbox, order: WorkspaceOrder
) -> None:
    first = await checkouts.open(order)
    script = """
        echo changed > README; rm src/code.py; mkdir 'new dir' ignored __pycache__; touch ignored/x __pycache__/a.pyc
        printf '\\000\\377' > 'new dir/odd ünd "name'; ln -s ../README 'new dir/link'
        echo '#!/bin/sh' > run; chmod +x run
    """
    await sh(first, "j", script)
    state = await first.keep_state("k")
    assert state is not None
    await sandbox.destroy(order.key)
    second = await checkouts.open(order.model_copy(update={"state": state}))
    assert second.instance != first.instance
    script = """
        git -c core.quotePath=false status --short; git diff --stat | tail -1
        ls ignored __pycache__ 2>&1 | wc -l; ls -l run | cut -c1-10
    """
    assert (await sh(second, "j", script)).splitlines() == [
        " M README",
        " D src/code.py",
        '?? "new dir/"',
        "?? run",
        " 2 files changed, 1 insertion(+), 2 deletions(-)",
        "2",
        "-rwxr-xr-x",
    ]
    assert await second.read('new dir/odd ünd "name', 10) == b"\x00\xff"
    assert await second.keep_state("k") == state


async def test_same_files_give_the_same_reference_whatever_git_did(
    checkouts: SandboxCheckouts, order: WorkspaceOrder
) -> None:
    """One agent commits, repacks and goes back and forth, the other writes the files in one go."""
    lines = "\n".join(f"line {n}" for n in range(3_000))
    wandering = await checkouts.open(order)
    await wandering.write("a/b.txt", b"something else")
    assert await wandering.keep_state("k1") not in (None, "")
    await wandering.write("a/b.txt", lines.encode())
    await sh(wandering, "j", "git add -A; git commit -qm work; git gc -q; git checkout -q -b other; git tag v9")
    direct = await checkouts.open(order.model_copy(update={"key": "t2"}))
    await direct.write("a/b.txt", lines.encode())
    states = {await wandering.keep_state("k2"), await direct.keep_state("k2"), await direct.keep_state("k3")}
    assert len(states) == 1
    assert None not in states
    await sh(wandering, "undo", "rm -r a")
    assert await wandering.keep_state("k4") is None


async def test_the_state_is_one_commit_on_the_base(
    checkouts: SandboxCheckouts, order: WorkspaceOrder, journal: Journal, clones: TrustedClones
) -> None:
    checkout = await checkouts.open(order)
    await checkout.write("new.txt", b"new\n")
    state = await checkout.keep_state("k")
    assert state is not None
    assert (
        await clones.git.text("for-each-ref", "refs/pawl/states", repository=clones.path(order.repository.name)) == ""
    ), "the journal has every turn's state; the clone takes in what is published"
    sha = await clones.import_state(order.repository, await journal.load(state))
    assert await clones.show(order.repository, sha, "new.txt", 100) == b"new\n"
    assert await clones.diffstat(order.repository, sha) == (1, 1, 0)


async def test_an_agent_that_destroys_git_keeps_its_files(checkouts: SandboxCheckouts, order: WorkspaceOrder) -> None:
    checkout = await checkouts.open(order)
    await sh(checkout, "j", "echo kept > README; rm -rf .git /work/.pawl")
    state = await checkout.keep_state("k")
    assert state is not None
    await sh(
        checkout, "j2", "rm -f /work/.pawl/git/objects/pack/*; echo junk > /work/.pawl/git/config; echo new > README"
    )
    assert await checkout.keep_state("k2") not in (None, state)


async def test_files_git_cannot_read_are_kept(checkouts: SandboxCheckouts, order: WorkspaceOrder) -> None:
    checkout = await checkouts.open(order)
    await sh(
        checkout, "j", "mkdir -p locked/in; echo x > locked/in/file; chmod 0 locked/in/file locked/in; mkfifo pipe"
    )
    assert await checkout.keep_state("k") is not None


@pytest.mark.parametrize(
    ("mischief", "words"),
    [
        ("ln -s /etc/passwd out", "out is a link that leads out of the checkout"),
        (
            "mkdir -p a/b s; touch s/f; ln -s ../../s a/b/near; ln -s a/b/near/../../etc out",
            "out is a link that leads out of the checkout",
        ),
        ("git init -q inner; cd inner; touch a; git add a; git commit -qm a", "inner is a repository of its own"),
        ("git init -q inner; touch inner/a", "inner"),
        ("printf '[submodule \"a\"]\\n path = a\\n url = -u./evil\\n' > .gitmodules", "disallowed submodule url"),
    ],
)
async def test_files_nobody_should_check_out_are_refused_in_words(
    checkouts: SandboxCheckouts, order: WorkspaceOrder, mischief: str, words: str
) -> None:
    checkout = await checkouts.open(order)
    await sh(checkout, "j", f"git config --global user.email a@b; git config --global user.name a; {mischief}")
    with pytest.raises(Denied, match=words):
        await checkout.keep_state("k")
    await sh(checkout, "j2", "rm -rf out inner .gitmodules; echo fine > fine")
    assert await checkout.keep_state("k2") is not None


async def test_hostile_git_settings_run_nothing_on_the_host(
    checkouts: SandboxCheckouts, order: WorkspaceOrder, tmp_path: Path
) -> None:
    checkout = await checkouts.open(order)
    trap = f"touch {tmp_path}/escaped /work/trapped; cat"
    await sh(
        checkout,
        "j",
        f"""
        for at in "" --global; do
            git config $at core.fsmonitor '{trap}'; git config $at core.hooksPath /work/hooks
            git config $at filter.evil.clean '{trap}'; git config $at filter.evil.smudge '{trap}'
        done
        mkdir /work/hooks; for h in post-checkout pre-commit post-index-change; do
            printf '#!/bin/sh\\n{trap}\\n' > /work/hooks/$h; chmod +x /work/hooks/$h
        done
        echo '* filter=evil' > .gitattributes; echo x > README
        """,
    )
    assert await checkout.keep_state("k") is not None
    assert not (tmp_path / "escaped").exists()
    assert (await checkout.run("j2", "test -e /work/trapped", 5)).code == 1, "nor did Pawl's own git run any of it"


async def test_an_open_checkout_is_attached_to_as_it_is(
    checkouts: SandboxCheckouts, sandbox: Sandbox, clones: TrustedClones, journal: Journal, order: WorkspaceOrder
) -> None:
    first = await checkouts.open(order)
    await first.write("half", b"done")
    another_worker = SandboxCheckouts(sandbox, clones, journal)
    second = await another_worker.open(order)
    assert second.instance == first.instance
    assert await second.read("half", 10) == b"done"


async def test_two_workers_that_open_at_once_share_one_checkout(
    checkouts: SandboxCheckouts, sandbox: Sandbox, clones: TrustedClones, journal: Journal, order: WorkspaceOrder
) -> None:
    both = await asyncio.gather(checkouts.open(order), SandboxCheckouts(sandbox, clones, journal).open(order))
    assert both[0].instance == both[1].instance
    assert await sh(both[0], "j", "git status --short") == ""
    assert await both[1].keep_state("k") is None


async def test_a_set_up_that_was_cut_off_is_made_again(
    checkouts: SandboxCheckouts, sandbox: Sandbox, order: WorkspaceOrder, tmp_path: Path
) -> None:
    opening = asyncio.create_task(checkouts.open(order))
    jobs = tmp_path / "sandboxes" / order.key / "jobs"
    await kill_supervisor(jobs, "set-up-*")
    checkout = await opening
    assert await sh(checkout, "j", "cat README; git status --short") == "hello\n"
    assert len(await sandbox.list({})) == 1


async def test_a_command_is_one_run_and_its_output_readable(checkouts: SandboxCheckouts, order: WorkspaceOrder) -> None:
    checkout = await checkouts.open(order)
    script = "echo one >> runs; echo out; echo err >&2; printf '\\377\\000'; wc -l < runs; exit 3"
    first, second = [await checkout.run("j", script, 20) for _ in range(2)]
    assert first == second
    assert (first.reason, first.code, first.ok) == (ExitReason.EXITED, 3, False)
    assert first.output == "out\nerr\n��1\n"
    long = (await checkout.run("k", "seq 100000", 20)).output
    assert len(long) <= 10_000
    assert long.startswith("1\n2\n")
    assert long.endswith("99999\n100000\n")
    assert "characters cut]" in long
    assert (await checkout.run("t", "echo some; sleep 9", 1)).reason is ExitReason.TIMEOUT


async def test_paths_stay_in_the_checkout(checkouts: SandboxCheckouts, order: WorkspaceOrder) -> None:
    checkout = await checkouts.open(order)
    await sh(checkout, "j", "ln -s /work/home out; ln -s README link")
    for path in ("../home/x", "/etc/passwd", "/work/home/x", "out/x", "link"):
        with pytest.raises(Denied):
            await checkout.read(path, 10)
    for path in ("../x", "/work/x", "out/x"):
        with pytest.raises(Denied):
            await checkout.write(path, b"")
    assert await checkout.read("/work/repo/README", 10) == b"hello\n"


async def test_a_sandbox_that_died_is_gone_and_the_next_is_fresh(
    checkouts: SandboxCheckouts, order: WorkspaceOrder, tmp_path: Path
) -> None:
    checkout = await checkouts.open(order)
    await checkout.write("lost", b"")
    running = asyncio.create_task(checkout.run("j", "sleep 30", 30))
    jobs = tmp_path / "sandboxes" / order.key / "jobs"
    await kill_supervisor(jobs, "run-j-*")
    with pytest.raises(Gone):
        await running
    with pytest.raises(Gone):
        await checkout.keep_state("k")
    anew = await checkouts.open(order)
    assert anew.instance != checkout.instance
    with pytest.raises(FileNotFoundError):
        await anew.read("lost", 10)


async def test_a_repository_that_moved_on_still_opens_at_its_base(
    checkouts: SandboxCheckouts, order: WorkspaceOrder, tmp_path: Path
) -> None:
    git(tmp_path / "origin", "commit", "-q", "--allow-empty", "-m", "later")
    checkout = await checkouts.open(order)
    assert (await sh(checkout, "j", "git rev-parse HEAD")).strip() == order.repository.base_sha


async def test_after_a_reset_to_before_the_base_was_fixed_the_files_are_those_of_the_new_base(
    checkouts: SandboxCheckouts, clones: TrustedClones, order: WorkspaceOrder, tmp_path: Path
) -> None:
    before = await checkouts.open(order)
    await sh(before, "j", "echo mine > README")
    (tmp_path / "origin" / "README").write_text("moved on\n")
    git(tmp_path / "origin", "commit", "-qam", "later")
    branch, sha = await clones.fetch("origin", order.repository.url)
    moved = order.repository.model_copy(update={"base_branch": branch, "base_sha": sha})
    after = await checkouts.open(order.model_copy(update={"repository": moved}))
    assert await sh(after, "k", "cat README; git status --short") == "moved on\n"
    assert await after.keep_state("l") is None
