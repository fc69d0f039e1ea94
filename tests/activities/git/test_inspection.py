"""A change is looked at before it leaves: limits, names, links, submodules, LFS, secrets, protected paths."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from activities.git import Inspection, Rules, TrustedClones, inspected
from tests.activities.git.secrets import AWS, GITHUB
from tests.repos import Box, git, make_repository
from workflows.domain.change import Repository
from workflows.domain.policy import ChangeLimits, ProtectedPaths, SecretScan

RULES = Rules(ChangeLimits(), ProtectedPaths(), SecretScan())
MARK = "# pragma: allowlist" + " secret"
ATTRIBUTES = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
WORKFLOW = ".github/workflows/ci.yml"


def pointer(digit: str) -> str:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digit * 64}\nsize 12\n"


FILES = {
    "README.md": "hello\n",
    ".gitattributes": ATTRIBUTES,
    "model.bin": pointer("1"),
    WORKFLOW: "on: push\n",
    "-rf": "x\n",
}
Look = Callable[..., Awaitable[Inspection]]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Has what a change may meet: LFS, a submodule, CI, and a name that begins like an option."""
    source = make_repository(tmp_path / "source", FILES)
    git(source, "update-index", "--add", "--cacheinfo", f"160000,{'5' * 40},vendor/lib")
    git(source, "commit", "-q", "-m", "submodule")
    return source


@pytest.fixture
def look(clones: TrustedClones, repository: Repository, box: Box) -> Look:
    """`await look({path: content}, rules)`: the inspection of a state with these files."""

    async def looked(
        files: Mapping[str, str | bytes],
        rules: Rules = RULES,
        remove: tuple[str, ...] = (),
        links: Mapping[str, str] | None = None,
    ) -> Inspection:
        git(box.folder, "reset", "-q", "--hard", box.base)
        for name in remove:
            git(box.folder, "rm", "-q", "-r", "--", name)
        for name, target in (links or {}).items():
            (box.folder / name).symlink_to(target)
        sha = await clones.import_state(repository, box.state(files))
        return await inspected(clones, repository, await clones.commit(repository, sha, "Do it"), rules)

    return looked


async def test_an_ordinary_change_may_leave(look: Look) -> None:
    files = {"src/app.py": "print(1)\n", "-rf": "y\n", "--output=x": "1\n", "ünïcode name": "1\n"}
    assert await look(files, remove=("README.md",)) == Inspection((), (), "", "", ())


async def test_what_is_too_large_is_refused_before_it_is_read(look: Look) -> None:
    small = RULES._replace(limits=ChangeLimits(max_files=2, max_lines=3, max_file_mb=1, max_mb=1))
    seen = await look({"a": "1\n2\n3\n4\n", "b": b"\0" * 1_048_577, "c": f"{GITHUB}\n"}, small)
    assert [problem.partition(";")[0] for problem in seen.problems] == [
        "It changes 3 files",
        "It changes 5 lines",
        "b has 1,048,577 bytes",
        "Its files have 1,048,626 bytes together",
    ]


async def test_binary_files_are_named(look: Look) -> None:
    seen = await look({f"{n:02}.png": b"\x89PNG\0" for n in range(22)} | {"a.txt": "a\n"})
    assert (seen.problems, len(seen.binaries), seen.binaries[0], seen.binaries[-1]) == ((), 21, "`00.png`", "2 more")


async def test_names_that_others_cannot_check_out(look: Look) -> None:
    seen = await look({"readme.md": "1\n", "aux.c": "1\n"})
    assert len(seen.problems) == 2
    assert "aux.c is a name that Windows cannot hold" in seen.problems[0]
    assert "readme.md and README.md are one file" in seen.problems[1]


async def test_a_protected_path_asks_a_person_and_shows_what_changes(look: Look) -> None:
    seen = await look({WORKFLOW: "on: push\nrun: deploy\n", "src/app.py": "print(1)\n"})
    assert (seen.problems, seen.asks) == ((), (f"`{WORKFLOW}`",))
    assert "+run: deploy" in seen.shown
    assert "print(1)" not in seen.shown
    moved = await look({".github/workflows/x.yml": "on: push\n"}, remove=(WORKFLOW,))
    assert moved.asks == (f"`{WORKFLOW}` (deleted)", "`.github/workflows/x.yml`")


async def test_what_was_allowed_stays_allowed_until_its_content_changes(look: Look) -> None:
    first = await look({WORKFLOW: "on: push\nrun: deploy\n"})
    elsewhere = await look({WORKFLOW: "on: push\nrun: deploy\n", "src/app.py": "print(2)\n"})
    other = await look({WORKFLOW: "on: push\nrun: deploy now\n"})
    assert first.digest == elsewhere.digest != other.digest
    mode = await look({WORKFLOW: "on: push\nrun: deploy\n", ".envrc": ""})
    assert mode.digest != first.digest


async def test_a_person_sees_what_a_screen_would_hide_or_turn_round(look: Look) -> None:
    seen = await look({".github/workflows/\u202elmy.yml": "run: x # \u2066 ok \x1b[2K\n"})
    assert seen.asks == ("`.github/workflows/\\u202elmy.yml`",)
    assert "+run: x # \\u2066 ok \\u001b[2K" in seen.shown


async def test_no_name_of_a_file_says_anything_else(look: Look) -> None:
    seen = await look({"img\u202egnp.exe\u2028**Approved**`": b"\0", "a \u2028 b.": "x\n"})
    assert seen.binaries == ("`img\\u202egnp.exe\\u2028**Approved**'`",)
    assert any(problem.startswith("a \\u2028 b. is a name that Windows cannot hold") for problem in seen.problems)
    assert "\u202e" not in str(seen.problems)


async def test_a_policy_says_what_else_is_protected_and_what_is_not(look: Look) -> None:
    rules = RULES._replace(protected=ProtectedPaths(paths=("Dockerfile",), allow=(".github/**",), lock_files=True))
    seen = await look({WORKFLOW: "x\n", "Dockerfile": "FROM x\n", "uv.lock": "1\n"}, rules)
    assert seen.asks == ("`Dockerfile`", "`uv.lock`")


async def test_a_link_in_the_place_of_a_protected_folder(look: Look) -> None:
    seen = await look({"ci/config.yml": "x\n"}, links={".circleci": "ci"})
    assert seen.asks == ("`.circleci`", "`ci/config.yml`: `.circleci` leads there")


async def test_a_long_diff_of_protected_paths_is_cut_and_says_where_the_rest_is(
    look: Look, clones: TrustedClones
) -> None:
    seen = await look({WORKFLOW: "- run: x\n" * 5_000})
    assert len(seen.shown) < 7_000
    assert f"[cut: read the rest with git --git-dir={clones.path('one')} show " in seen.shown


# --- secrets ----------------------------------------------------------------------------------------------------


async def test_a_secret_is_refused_with_its_place_and_never_shown(look: Look) -> None:
    seen = await look({"src/app.py": f"a = 1\nkey = '{GITHUB}'\n", WORKFLOW: f"on: push\nkey: '{AWS}'\n"})
    assert [problem.partition(" looks")[0] for problem in seen.problems] == [f"{WORKFLOW}:2", "src/app.py:2"]
    assert "AWS Access Key" in seen.problems[0]
    assert "pragma: allowlist secret" in seen.problems[0]
    assert not any(secret in str(seen) for secret in (GITHUB, AWS))


async def test_attributes_hide_no_secret(look: Look) -> None:
    hiding = {".gitattributes": "* -diff -text binary\n", "src/app.py": f"key = '{GITHUB}'\n"}
    assert "src/app.py:1 looks like a secret" in (await look(hiding)).problems[0]


async def test_a_marked_line_is_for_a_person_to_decide(look: Look) -> None:
    files = {"tests/a.py": f"key = '{AWS}'  {MARK}\n", WORKFLOW: f"key: '{AWS}'  {MARK}\nrun: x\n"}
    seen = await look(files)
    assert seen.problems == ()
    assert "`tests/a.py:1` looks like a secret (AWS Access Key); the agent marked it as none" in seen.asks
    assert "+[not shown: it looks like a secret]\n+run: x" in seen.shown
    assert AWS not in str(seen)
    changed = await look(files | {"tests/a.py": f"key = '{AWS[::-1][:16]}AKIA{AWS[4:]}'  {MARK}\n"})
    assert changed.digest != seen.digest


async def test_a_policy_may_settle_markers_and_leave_out_files(look: Look) -> None:
    files = {"tests/a.py": f"key = '{AWS}'  {MARK}\n", "tests/keys/a.txt": f"{AWS}\n"}
    trusting = RULES._replace(secrets=SecretScan(allow_markers=True, allow=("tests/keys/**",)))
    assert await look(files, trusting) == Inspection((), (), "", "", ())
    assert len((await look(files, RULES._replace(secrets=SecretScan(allow_markers=True)))).problems) == 1


async def test_a_secret_that_was_there_before_is_nobodys_fault(look: Look, source: Path, clones: TrustedClones) -> None:
    git(source, "checkout", "-q", "-B", "other")
    (source / "old.py").write_text(f"a = 1\nkey = '{AWS}'\nb = 1\n")
    git(source, "add", "old.py")
    git(source, "commit", "-q", "-m", "Old")
    branch, sha = await clones.fetch("one", str(source), "other")
    repository = Repository(name="one", url=str(source), base_branch=branch, base_sha=sha)
    work = Box(source.parent / "box2", repository, await clones.bundle(repository))
    state = work.state({"old.py": f"a = 2\nkey = '{AWS}'\nb = 2\n"})
    commit = await clones.commit(repository, await clones.import_state(repository, state), "Do it")
    assert (await inspected(clones, repository, commit, RULES)).problems == ()


# --- submodules and LFS -----------------------------------------------------------------------------------------


async def test_a_submodule_that_stays_is_kept_and_one_that_goes_asks(look: Look, clones: TrustedClones) -> None:
    assert (await look({"a.txt": "1\n"})).asks == ()
    seen = await look({"a.txt": "1\n"}, remove=("vendor/lib",))
    assert seen.asks == ("`vendor/lib` (deleted): a submodule is removed",)


async def test_lfs_pointers_may_move_but_not_point_to_nothing(look: Look) -> None:
    moved = await look({"moved.bin": pointer("1")}, remove=("model.bin",))
    assert (moved.problems, moved.asks) == ((), ())
    seen = await look({"model.bin": pointer("2")})
    assert "model.bin is a Git LFS pointer whose object is not in the repository" in seen.problems[0]


async def test_content_where_a_pointer_is_wanted_is_for_a_person_to_decide(look: Look) -> None:
    seen = await look({"model.bin": b"\0\1\2"})
    wanted = "content, where .gitattributes wants a Git LFS pointer"
    assert (seen.problems, seen.asks, seen.binaries) == ((), (f"`model.bin`: {wanted}",), ("`model.bin`",))
    told_apart = await look({".gitattributes": "", "model.bin": b"\0\1\2"})
    assert told_apart.asks == ("`.gitattributes`",), "the change's own attributes count, and are protected themselves"
