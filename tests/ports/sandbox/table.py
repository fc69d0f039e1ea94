"""Provider x check: what every sandbox provider was asked and how it answered, from the test run itself.

`pytest --conformance FILE` notes the outcomes of all tests in this folder that ask providers; `python -m
tests.ports.sandbox.table FILE ORDINARY` makes the page in docs/operate from root's and an ordinary user's.
"""

import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

HERE = "tests/ports/sandbox/"
LOCAL = {"cgroup": "bubblewrap, root, cgroup", "limits and watchdog": "bubblewrap, root, limits"}
AS_USER = {"limits and watchdog": "bubblewrap, ordinary user", "modal": "Modal's double, ordinary user"}
OTHERS = {
    "podman": "podman",
    "modal": "Modal's double",
    "e2b": "E2B's double",
    "daytona": "Daytona's double",
    "runloop": "Runloop's double",
    "northflank": "Northflank's double",
    "box": "remote, bare",
}
NAMES = {**LOCAL, **OTHERS}
"""Columns by the providers' names in tests, in their order; as an ordinary user those of AS_USER."""
_NODE = re.compile(rf"{HERE}(?P<file>[\w/]+)\.py::(?P<test>\w+)\[(?P<case>.*)\]")
_HEAD = """# What every sandbox provider was asked

Written by the test run (`make conformance`), not by hand: each row is a test in
[tests/ports/sandbox](../../tests/ports/sandbox), each column a provider it was asked of. `yes` is a pass in every case,
`-` is not asked.

Bubblewrap and podman are the real thing. A double is the vendor's real client (at Daytona our own calls) with a local
server in place of the service, whose sandboxes are local ones: it shows that the adapter and Pawl's program inside keep
the contract. What the vendor itself enforces, its kernel, network and limits, no double can show, and none of them has
been run live here. `remote, bare` is that program without any vendor.
"""


class Outcomes:
    """What this run has found so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.found: dict[str, dict[str, dict[str, bool]]] = defaultdict(lambda: defaultdict(dict))
        """File, test, provider: whether it has passed in every case."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        match = _NODE.fullmatch(report.nodeid)
        if match is None or report.skipped or (report.passed and report.when != "call"):
            return
        provider = next((name for name in NAMES if match["case"].startswith(name)), "")
        if provider:
            cell = self.found[match["file"]][match["test"]]
            cell[provider] = cell.get(provider, True) and report.passed

    def pytest_sessionfinish(self) -> None:
        self._path.parent.mkdir(exist_ok=True)
        self._path.write_text(json.dumps(self.found, indent=1))


Found = Mapping[str, Mapping[str, Mapping[str, bool]]]


def page(ours: Found, ordinary: Found) -> str:
    """The whole page, from what root found and what an ordinary user found."""
    merged: dict[str, dict[str, dict[str, bool]]] = defaultdict(lambda: defaultdict(dict))
    for run, names in ((ours, NAMES), (ordinary, AS_USER)):
        for file, tests in run.items():
            for test, cells in tests.items():
                merged[file][test] |= {names[name]: passed for name, passed in cells.items() if name in names}
    every = list(dict.fromkeys([*LOCAL.values(), *AS_USER.values(), *OTHERS.values()]))
    parts = [_HEAD]
    for file in sorted(merged, key=lambda name: (name != "test_contract", name)):
        tests = merged[file]
        columns = [column for column in every if any(column in cells for cells in tests.values())]
        rows = [[_words(test), *(_cell(cells.get(column)) for column in columns)] for test, cells in tests.items()]
        parts.append("\n".join([f"## {_title(file)}", "", *_table(["", *columns], rows)]))
    return "\n".join(f"{part}\n" for part in parts)


def _cell(passed: bool | None) -> str:
    return {True: "yes", False: "**no**", None: "-"}[passed]


def _words(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


def _title(file: str) -> str:
    """The first sentence of the test file."""
    source = (Path(__file__).parent / f"{file}.py").read_text()
    return (ast.get_docstring(ast.parse(source)) or file).split("\n\n")[0].replace("\n", " ").rstrip(".")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def main(files: Sequence[str]) -> None:
    ours, ordinary = (json.loads(Path(file).read_text()) for file in files)
    sys.stdout.write(page(ours, ordinary))


if __name__ == "__main__":
    main(sys.argv[1:])
