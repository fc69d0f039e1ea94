"""The worker's side of a job, where its supervisor is faster."""

import os
from pathlib import Path

import pytest

from activities.sandbox import jobs


def test_a_supervisor_that_ends_while_it_is_told_to_has_done_what_was_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, control = os.pipe()
    os.close(reader)

    answers = iter([control, None])

    def heard_by_nobody(_: Path) -> int | None:
        return next(answers)

    monkeypatch.setattr(jobs, "_control", heard_by_nobody)
    jobs.kill(tmp_path)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(control)
