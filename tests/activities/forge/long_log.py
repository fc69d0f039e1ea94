"""A process that reads the log of a failed job, of 200 MB, and says by how much its memory has grown."""

import asyncio
import json
import resource
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.ports.forges import GitHubRig, rig_in
from workflows.domain.change import Repository
from workflows.ports.forge import FindRecent, Recent

_MIB = 1024 * 1024
_END = "\nthe end of the log\n"


async def found(rig: GitHubRig, repository: Repository) -> Recent:
    day = datetime.now(UTC) - timedelta(days=1)
    return await rig.forge.find_recent(FindRecent(repository=repository, since=day, stale_before=day))


def most_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main(folder: Path) -> None:
    """The double is in this process too; it makes the log as it is asked for."""
    async with rig_in(folder, "github") as rig:
        assert isinstance(rig, GitHubRig)
        repository = await rig.opened()
        run = rig.hands.runs(rig.repo(repository), "1" * 40, ("test", "failure", "short"), branch="main")
        await found(rig, repository)  # what is loaded the first time is loaded
        before = most_mb()
        run.jobs[0].log, run.jobs[0].times = f"{'x' * (_MIB - len(_END))}{_END}", 200
        recent = await found(rig, repository)
        log = await rig.journal.load_text(recent.runs[0].log)
    told = {"log": log[-100:], "characters": len(log), "grown_mb": most_mb() - before}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(main(Path(place)))
