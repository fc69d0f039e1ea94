"""What stands behind a protected link is as protected as the link: it is what will be obeyed."""

from pathlib import Path

import pytest

from activities.git import Rules, TrustedClones, inspected
from tests.repos import Box, git, make_repository
from workflows.domain.change import Repository
from workflows.domain.policy import ChangeLimits, ProtectedPaths, SecretScan

FILES = {"config/pawl.md": "---\n---\n", "tools/real/dev.json": "{}\n", "skills/a.md": "a\n", "src/app.py": "1\n"}
LINKS = {
    "WORKFLOW.md": "config/pawl.md",
    ".devcontainer.json": "tools/linked/dev.json",
    "tools/linked": "real",
    ".claude/skills": "../skills",
    "docs": "src",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = make_repository(tmp_path / "source", FILES)
    for name, target in LINKS.items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).symlink_to(target)
    git(source, "add", "-A")
    git(source, "commit", "-q", "-m", "links")
    return source


async def asks(
    clones: TrustedClones, repository: Repository, box: Box, changed: str, allow: tuple[str, ...] = ()
) -> tuple[str, ...]:
    state = await clones.import_state(repository, box.state({changed: "changed\n"}))
    rules = Rules(ChangeLimits(), ProtectedPaths(allow=allow), SecretScan())
    return (await inspected(clones, repository, await clones.commit(repository, state, "Do it"), rules)).asks


@pytest.mark.parametrize(
    ("changed", "link"),
    [
        ("config/pawl.md", "WORKFLOW.md"),
        ("tools/real/dev.json", ".devcontainer.json"),
        ("skills/b.md", ".claude/skills"),
    ],
)
async def test_what_a_protected_link_leads_to_asks(
    clones: TrustedClones, repository: Repository, box: Box, changed: str, link: str
) -> None:
    assert await asks(clones, repository, box, changed) == (f"`{changed}`: `{link}` leads there",)


async def test_other_links_protect_nothing(clones: TrustedClones, repository: Repository, box: Box) -> None:
    assert await asks(clones, repository, box, "src/app.py") == ()


@pytest.mark.parametrize("allow", ["config/**", "WORKFLOW.md"])
async def test_a_policy_may_except_the_link_or_what_it_leads_to(
    clones: TrustedClones, repository: Repository, box: Box, allow: str
) -> None:
    assert await asks(clones, repository, box, "config/pawl.md", (allow,)) == ()


async def test_a_link_on_the_way_asks_when_it_is_turned_elsewhere(
    clones: TrustedClones, repository: Repository, box: Box
) -> None:
    (box.folder / "tools/linked").unlink()
    (box.folder / "tools/linked").symlink_to("../src")
    assert "`tools/linked`: `.devcontainer.json` leads there" in await asks(clones, repository, box, "src/app.py")
