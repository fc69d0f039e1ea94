"""The demo's project comes from the package index as the very files that were pinned, and runs nothing on the way."""

import subprocess
from pathlib import Path

import pytest

from infra.demo.fetch import fetch_missing
from infra.demo.project import LIBRARY, PACKAGES, PACKAGES_INSIDE, prepare
from infra.exits import OutOfReach


def history(repository: Path) -> list[str]:
    told = subprocess.run(
        ["git", "-C", repository, "log", "--format=%H %s"], capture_output=True, text=True, check=True
    )
    return told.stdout.splitlines()


def test_same_commits_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = history(prepare(tmp_path / "one").repository)
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody else")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.autocrlf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    assert history(prepare(tmp_path / "two").repository) == first
    assert [line.partition(" ")[2] for line in first] == [
        "How Pawl works on this repository",
        "python-slugify 9.1.0, as released",
    ]


def test_second_time_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    before = prepare(tmp_path, said.append)
    assert said == [
        "Fetching from the package index: python-slugify 9.1.0, text-unidecode 1.3, "
        "pytest 9.2.0, iniconfig 2.3.1, packaging 26.3, pluggy 1.7.0, pygments 2.21.0"
    ]
    monkeypatch.setenv("UV", "/does/not/exist")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert prepare(tmp_path, said.append) == before
    assert len(said) == 1


def test_broken_download_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / LIBRARY.file).write_bytes(b"half a file")
    fetch_missing([LIBRARY], tmp_path, lambda _: None)
    assert (tmp_path / LIBRARY.file).stat().st_size > 10_000


def test_another_file_under_the_same_name_is_not_used(tmp_path: Path) -> None:
    expected_other = PACKAGES[0].model_copy(update={"sha256": "0" * 64})
    with pytest.raises(OutOfReach, match="is not the file the demo was written for"):
        fetch_missing([expected_other], tmp_path, lambda _: None)
    assert not (tmp_path / PACKAGES[0].file).exists()


def test_index_out_of_reach_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(OutOfReach, match="UV_DEFAULT_INDEX"):
        fetch_missing([LIBRARY], tmp_path, lambda _: None)


def test_sandbox_is_shown_what_the_tests_import(tmp_path: Path) -> None:
    project = prepare(tmp_path)
    assert f"{tmp_path / 'python-packages'}:{PACKAGES_INSIDE}" in project.sandbox_mounts.split(",")
    assert (project.packages / "text_unidecode" / "__init__.py").is_file()
    assert PACKAGES_INSIDE in (project.repository / "WORKFLOW.md").read_text()
