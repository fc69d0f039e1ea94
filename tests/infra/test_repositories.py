"""Repositories as typed: what cannot be one is refused at once, as far as it can be known here without a network."""

import os
from pathlib import Path

import pytest

from infra.exits import Misused, NotFound
from infra.repositories import named_repository
from tests.repos import git, make_repository


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "shop", {"tests/test_cart.py": "def test_it(): ...\n"})


@pytest.mark.parametrize(
    ("url", "says", "how"),
    [
        ("https://github.com/", "names no repository", "https://github.com/acme/shop"),
        ("https://github.com/acme", "names no repository", "https://github.com/acme/shop"),
        ("git@github.com:acme", "names no repository", "https://github.com/acme/shop"),
        ("https://", "names no repository", "https://github.com/acme/shop"),
        ("ssh://git@example.org/", "names no repository", "https://github.com/acme/shop"),
        ("https://github.com/acme/shop/tree/main", "is a page", "repository: https://github.com/acme/shop"),
        ("https://www.github.com/acme/shop/pull/7#x", "is a page", "repository: https://www.github.com/acme/shop"),
        ("https://github.com/acme/shop?x=1", "is a page", "repository: https://github.com/acme/shop"),
        ("https://git.example.org/shop#readme", "is a page", "repository: https://git.example.org/shop"),
        ("https://gitlab.com/a/b/shop/-/tree/main", "is a page", "repository: https://gitlab.com/a/b/shop"),
        ("https://ada:sesame@example.org/shop", "holds a password", "Leave it out."),
    ],
)
def test_a_url_that_names_no_repository_is_refused(url: str, says: str, how: str) -> None:
    with pytest.raises(Misused) as refused:
        named_repository(url)
    assert says in refused.value.cause
    assert refused.value.next_step.endswith((how, f"{how}."))


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/shop",
        "https://github.com/acme/shop.git/",
        "ssh://git@github.com/acme/shop.git",
        "git@github.com:acme/shop.git",
        "https://gitlab.com/group/team/tree/shop",
        "https://git.example.org/shop",
        "git@example.org:shop.git",
    ],
)
def test_a_url_that_may_name_one_is_taken_as_it_is(url: str) -> None:
    assert named_repository(url) == url


def test_a_folder_is_taken_where_git_keeps_a_repository(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(shop), "bare.git")
    git(shop, "worktree", "add", "-q", str(tmp_path / "tree"))
    for place in (shop, shop / ".git", tmp_path / "bare.git", tmp_path / "tree"):
        assert named_repository(str(place), "main") == str(place)
        assert named_repository(f"file://{place}") == f"file://{place}"


def test_what_is_here_and_no_repository_is_refused(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("No repository.")
    (tmp_path / "folder").mkdir()
    make_repository(tmp_path / "new")
    for place, says, how in (
        ("notes", "is no git repository", "Give a repository's folder or a git URL."),
        ("folder", "is no git repository", "Give a repository's folder or a git URL."),
        ("shop/tests", "is no git repository", f"Name the root of the repository it is in: {shop}"),
        ("new", "has no commit yet", "Commit something there."),
    ):
        for named in (tmp_path / place, f"file://{tmp_path / place}"):
            with pytest.raises(NotFound, match=says) as refused:
                named_repository(str(named))
            assert refused.value.next_step == how


def test_a_branch_that_is_not_there_is_told_with_those_that_are(shop: Path) -> None:
    git(shop, "branch", "develop")
    with pytest.raises(NotFound, match="has no branch 'nosuch'") as refused:
        named_repository(str(shop), "nosuch")
    assert refused.value.next_step == "It has: develop, main."


def test_the_environment_of_a_git_hook_does_not_stand_for_the_folder(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.setitem(os.environ, "GIT_DIR", str(shop / ".git"))
    with pytest.raises(NotFound):
        named_repository(str(tmp_path / "folder"))
