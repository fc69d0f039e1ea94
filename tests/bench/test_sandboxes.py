"""The sandbox benchmark runs, and its verdicts are the documented ones."""

from pathlib import Path

import pytest

from bench.sandboxes.__main__ import QUICK, measured
from bench.sandboxes.results import Exec, Many, SandboxResults, Start, lines


@pytest.mark.sandbox
async def test_the_quick_run_measures_everything(tmp_path: Path) -> None:
    results = await measured(tmp_path, QUICK)
    assert [out.changed_kb for out in results.out] == [0, 20, 100]
    assert results.out[0].bundle_kb == 0 < results.out[1].bundle_kb < results.out[2].bundle_kb
    assert results.many.sandboxes == QUICK.at_once
    assert "warm start of 100 MB" in "\n".join(lines(results))


@pytest.mark.parametrize(
    ("sandbox_ms", "warm", "megabytes", "met"),
    [(79.0, 0.9, 100, [True, True]), (81.0, 1.1, 100, [False, False]), (30.0, 0.1, 10, [True, None])],
)
def test_targets(sandbox_ms: float, warm: float, megabytes: int, met: list[bool | None]) -> None:
    start = Start(repository_mb=megabytes, files=1, copy_seconds=0, first_seconds=0, cold_seconds=0, warm_seconds=warm)
    results = SandboxResults(
        host={"cores": "2"},
        size="full",
        tier="",
        command=Exec(bare_ms=0, sandbox_ms=sandbox_ms),
        starts=(start,),
        out=(),
        many=Many(sandboxes=1, seconds=1, p50_seconds=1, max_seconds=1, bare_seconds=1),
    ).judged()
    assert [target.met for target in results.targets] == met
