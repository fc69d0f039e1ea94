"""What people do in the simulated week between the nights: commits, a pull, tickets. None of them is Pawl."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from infra import board
from infra.demo.project import Author, git
from infra.settings import Settings


class Edit(NamedTuple):
    """One place in one file. `old` empty: the file is new."""

    path: str
    old: str
    new: str


class Commit(NamedTuple):
    by: str
    at: datetime
    message: str
    edits: tuple[Edit, ...]


class Filed(NamedTuple):
    """A ticket that somebody writes on the board."""

    ticket: str
    title: str
    body: str


ADA, BEN = "Ada", "Ben"
_RUN = "PYTHONPATH=/opt/python-packages python3 -m pytest -q --color=no"
_QUICK = f'{_RUN} -k "not cli and not goldens"'
"""Without what starts a program or compares thousands of slugs: a night looks, and does not release."""
_QUICKEST = "PYTHONPATH=/opt/python-packages python3 -m unittest discover -q -s tests -t . -p 'test_[!lr]*.py'"
"""All but the files that take long."""

POLICY = (
    Edit("WORKFLOW.md", f"run: {_RUN}\n", f"run: PYTHONHASHSEED=0 {_QUICK}\n"),
    Edit(
        "WORKFLOW.md",
        "  budget:\n",
        "  triage:\n"
        "    level: start\n"
        "    tries: 8\n"
        "    commands:\n"
        "      - name: other-hash-seed\n"
        f"        run: PYTHONHASHSEED=1 {_QUICKEST}\n"
        "        timeout_seconds: 300\n"
        "  budget:\n",
    ),
)
BREAKS_A_TEST = (
    Edit(
        "slugify/slugify.py",
        "    # bool is an int subclass: legacy silently treats max_length=True as 1.\n"
        "    # Modern rejects it, and a non-str separator, up front.\n"
        "    if isinstance(max_length, bool) or not isinstance(max_length, int):\n",
        "    # Modern rejects wrong types up front.\n    if not isinstance(max_length, int):\n",
    ),
)
ADDS_A_FLAKY_TEST = (
    Edit(
        "slugify/tags.py",
        "",
        "from .slugify import slugify\n\n\n"
        "def slugify_tags(tags):\n"
        '    """One slug of several tags, each of them once."""\n'
        "    return slugify(' '.join(set(tags)))\n",
    ),
    Edit(
        "tests/test_tags.py",
        "",
        "import unittest\n\nfrom slugify.tags import slugify_tags\n\n\n"
        "class TagTests(unittest.TestCase):\n"
        "    def test_tags_keep_their_order(self):\n"
        "        self.assertEqual(slugify_tags(['alpha', 'beta', 'alpha']), 'alpha-beta')\n",
    ),
)
SAME_IN_OTHER_WORDS = Filed(
    "BUG-1",
    "Links of one letter since Monday",
    "Our shop passes `max_length=True` by mistake. Until last week that was an error in our log; now every link is a\n"
    "single letter.",
)
NOT_TRUE = Filed(
    "BUG-2",
    "The last letter of Greek words is lost",
    "I think that the slug of a Greek word in capitals comes out without its last letter when that is a sigma.",
)


def commit(repository: Path, done: Commit) -> None:
    """Somebody's commit in the person's repository. Raises ValueError where the text to change is not there."""
    for edit in done.edits:
        path = repository / edit.path
        before = path.read_text() if edit.old else ""
        if edit.old not in before:
            raise ValueError(f"{edit.path} does not hold {edit.old!r}")
        path.write_text(before.replace(edit.old, edit.new, 1) if edit.old else edit.new)
    author = Author(done.by, f"{done.by.casefold()}@pawl.invalid", done.at.isoformat())
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", f"--message={done.message}", author=author)


def pull(repository: Path, forge: Path, branch: str = "main") -> None:
    """Somebody takes what was merged on the local forge into the person's repository."""
    for merged in forge.glob("*.git"):
        git(repository, "pull", "--quiet", "--ff-only", str(merged), branch)


def file(settings: Settings, filed: Filed) -> None:
    board.create_ticket(settings.board_folder, filed.ticket, filed.title, filed.body)
