"""Added lines are found where they are, whatever a file's own text looks like."""

from pathlib import Path

from activities.git.patches import lines_of
from tests.repos import commit, git_bytes, make_repository


def added(folder: Path, *options: str) -> list[tuple[str, int, str]]:
    patch = git_bytes(folder, "-c", "core.quotePath=false", "diff-tree", "-r", "-p", *options, "HEAD~1", "HEAD")
    assert b"\n".join(line.raw for line in lines_of(patch)) + b"\n" == patch
    return [(line.path, line.number, line.text) for line in lines_of(patch) if line.path]


def test_lines_have_their_file_and_number(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "r", {"a": "1\n2\n3\n4\n5\n", "gone": "x\n"})
    (folder / "gone").unlink()
    commit(folder, {"a": "1\ntwo\n3\n4\n5\n6\n", 'odd "na\\me" ü': "x", "empty": ""})
    expected = [("a", 2, "two"), ("a", 6, "6"), ('odd "na\\me" ü', 1, "x")]
    assert sorted(added(folder)) == sorted(added(folder, "-U0")) == expected


def test_a_files_text_cannot_pass_for_a_head(tmp_path: Path) -> None:
    text = "++ b/other\n@@ -1 +1,9 @@\ndiff --git a/x b/x\n-- a/x\n"
    folder = make_repository(tmp_path / "r", {"a": "-- a/gone\n++ b/gone\n", "z": "z\n"})
    commit(folder, {"a": text, "z": "zz\n"})
    found = added(folder, "-U0")
    assert [(path, number) for path, number, _ in found] == [("a", 1), ("a", 2), ("a", 3), ("a", 4), ("z", 1)]
    assert found[0][2] == "++ b/other"


def test_carriage_returns_and_missing_ends_of_line_count_nothing(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "r", {"a": "x"})
    commit(folder, {"a": "x\ny\rz\u2028w\nend"})
    assert [(number, text) for _, number, text in added(folder, "-U0")] == [(1, "x"), (2, "y\rz\u2028w"), (3, "end")]
