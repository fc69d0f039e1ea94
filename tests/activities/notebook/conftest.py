"""A notebook in a folder."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.notebook.file import FileNotebook
from workflows.domain.triage import Entry, Kind, Standing, finding_id
from workflows.ports.notebook import KeepNotebook, OpenNotebook

NIGHT = datetime(2026, 11, 22, 3, tzinfo=UTC)
NAME = "triage:shop-3f2a"
OPEN = OpenNotebook(name=NAME, repository="/repos/shop")


def entry(subject: str, nights: int = 0, **changes: object) -> Entry:
    at = NIGHT + timedelta(days=nights)
    made = Entry(
        id=finding_id(Kind.LINT, subject),
        kind=Kind.LINT,
        subject=subject,
        title=f"{subject} is wrong",
        standing=Standing.REPORTED,
        first_seen=at,
        last_seen=at,
    )
    return made.model_copy(update=changes)


def keep(*entries: Entry, seen: tuple[Entry, ...] = (), **changes: object) -> KeepNotebook:
    made = KeepNotebook(name=NAME, repository="/repos/shop", seen=seen, entries=entries)
    return made.model_copy(update=changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "triage"


@pytest.fixture
def notebook(folder: Path) -> FileNotebook:
    return FileNotebook(folder)


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "shop-3f2a.yaml"
