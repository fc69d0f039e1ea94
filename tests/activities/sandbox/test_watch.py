"""The disk watch of several jobs of one sandbox, which all note what they have measured in the same place."""

import subprocess
import sys
from pathlib import Path

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
    assert int(memo.read_text()) > 1 << 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["usage", "work"]
