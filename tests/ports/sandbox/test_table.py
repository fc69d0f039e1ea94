"""The published table is of this suite: every check that providers are asked is a row, every provider a column."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.ports.sandbox.table import AS_USER, NAMES

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs/operate/sandbox-conformance.md"


def asked() -> Iterator[str]:
    """Names of the tests that ask whatever provider the `sandbox` fixture gives them."""
    for file in [HERE / "test_contract.py", HERE / "test_files.py", *HERE.glob("escape/test_*.py")]:
        for node in ast.parse(file.read_text()).body:
            if not isinstance(node, ast.AsyncFunctionDef) or not node.name.startswith("test_"):
                continue
            if "sandbox" in {argument.arg for argument in node.args.args}:
                yield node.name


def test_the_published_table_has_every_check_and_every_provider() -> None:
    lines = PAGE.read_text().splitlines()
    rows = {line.split("|")[1].strip() for line in lines if line.startswith("| ")}
    columns = {name.strip() for line in lines if line.startswith("|  |") for name in line.split("|")}
    words = {name.removeprefix("test_").replace("_", " ") for name in asked()}
    assert len(words) > 50
    assert not words - rows, "make conformance writes the page anew"
    assert not {*NAMES.values(), *AS_USER.values()} - columns
    assert not [line for line in lines if "**no**" in line]
