"""The disk watch of several jobs of one sandbox, which all note what they have measured in the same place."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from activities.sandbox.supervisor.watch import DiskWatch

_MEASURES = """
import sys
from activities.sandbox.supervisor.watch import DiskWatch
watch = DiskWatch(sys.argv[1], 0, sys.argv[2])
for _ in range(60):
    watch.measure()
"""


def test_jobs_measure_at_the_same_time(tmp_path: Path) -> None:
    work, memo = tmp_path / "work", tmp_path / "usage"
    work.mkdir()
    (work / "file").write_bytes(bytes(1 << 20))
    jobs = [subprocess.Popen([sys.executable, "-c", _MEASURES, str(work), str(memo)]) for _ in range(3)]
    assert [job.wait(60) for job in jobs] == [0, 0, 0]
    kept, took = memo.read_text().split()
    assert (int(kept) > 1 << 20, float(took) > 0) == (True, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["usage", "work"]


def test_a_command_that_took_its_time_is_measured_though_others_have_freed_as_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.statvfs(tmp_path)

    def unchanged(_: str) -> os.statvfs_result:
        return before

    monkeypatch.setattr(os, "statvfs", unchanged)
    monkeypatch.setattr(DiskWatch, "_SHORT", 600)
    watch = DiskWatch(str(tmp_path), 1 << 20, str(tmp_path / "usage"))
    (tmp_path / "large").write_bytes(bytes(2 << 20))
    assert not watch.exceeded_at_end(), "it was short"
    monkeypatch.setattr(DiskWatch, "_SHORT", 0)
    assert watch.exceeded_at_end()


def test_a_folder_that_is_taken_away_does_not_end_the_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its supervisor has to see the proxy write down what left, and that is killed where the supervisor dies first."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setattr(DiskWatch, "_SHORT", 0)
    watch = DiskWatch(str(work), 1 << 20, str(tmp_path / "usage"))
    work.rename(tmp_path / "gone")
    assert (watch.exceeded(), watch.exceeded_at_end()) == (False, False)
