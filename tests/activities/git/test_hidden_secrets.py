"""Secrets that are no plain line of a text file: in names, and in text that git takes for binary."""

from pathlib import Path

import pytest

from activities.git import Inspection, Rules, TrustedClones, inspected
from tests.activities.git.secrets import AWS, GITHUB
from tests.repos import Box, make_repository
from workflows.domain.change import Repository
from workflows.domain.policy import ChangeLimits, ProtectedPaths, SecretScan

LINE = f"a = 1\ntoken = '{GITHUB}'\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Has the same secrets from before: nobody's fault now."""
    return make_repository(
        tmp_path / "source", {"src/app.py": "1\n", "old.txt": LINE.encode("utf-16"), f"{AWS}/a.md": "x\n"}
    )


async def look(
    clones: TrustedClones, repository: Repository, box: Box, files: dict[str, str | bytes], allow: tuple[str, ...] = ()
) -> Inspection:
    state = await clones.import_state(repository, box.state(files))
    rules = Rules(ChangeLimits(), ProtectedPaths(), SecretScan(allow=allow))
    return await inspected(clones, repository, await clones.commit(repository, state, "Do it"), rules)


@pytest.mark.parametrize("name", [f"src/deep/{GITHUB}.md", f"src/{AWS}/a.md"])
async def test_a_name_is_scanned_and_never_said(
    clones: TrustedClones, repository: Repository, box: Box, name: str
) -> None:
    seen = await look(clones, repository, box, {name: "x\n", "AGENTS.md": "x\n"})
    assert len(seen.problems) == 1
    assert "The name of a new file or folder in src looks like a secret (" in seen.problems[0]
    assert not any(secret in str(seen) for secret in (GITHUB, AWS))


async def test_a_policy_may_leave_out_a_name(clones: TrustedClones, repository: Repository, box: Box) -> None:
    assert (await look(clones, repository, box, {f"keys/{AWS}": "x\n"}, ("keys/**",))).problems == ()


@pytest.mark.parametrize(
    "content",
    [LINE.encode("utf-16"), LINE.encode("utf-16-le"), LINE.encode("utf-16-be"), b"\0" + LINE.encode()],
    ids=["utf-16 with a mark", "little end first", "big end first", "a NUL in front"],
)
async def test_text_that_git_takes_for_binary_is_scanned(
    clones: TrustedClones, repository: Repository, box: Box, content: bytes
) -> None:
    seen = await look(clones, repository, box, {"env.txt": content})
    assert {problem.partition(" looks")[0] for problem in seen.problems} == {"env.txt:2"}
    assert seen.binaries == ("`env.txt`",)


async def test_what_such_a_text_held_before_is_nobodys_fault(
    clones: TrustedClones, repository: Repository, box: Box
) -> None:
    files: dict[str, str | bytes] = {"old.txt": f"b = 2\n{LINE}".encode("utf-16"), f"{AWS}/b.md": "x\n"}
    assert (await look(clones, repository, box, files)).problems == ()


async def test_a_picture_is_no_text(clones: TrustedClones, repository: Repository, box: Box) -> None:
    picture = b"\x89PNG\r\n\x1a\n\0\0" + bytes(range(256)) * 40 + GITHUB.encode()
    assert (await look(clones, repository, box, {"a.png": picture})).problems == ()
