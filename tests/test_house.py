"""The house rules that no compiler holds: who may import whom, what replayed code may touch, what the lock covers."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workflows.ports import Port

ROOT = Path(__file__).resolve().parent.parent
OURS = ("workflows", "activities", "infra", "worker", "starter")
MOST_LINES = 320
STANDARD = frozenset(sys.stdlib_module_names)
MAY_USE = {
    "workflows/domain": STANDARD | {"pydantic", "workflows.domain"},
    "workflows/ports": STANDARD | {"pydantic", "temporalio", "workflows.domain", "workflows.ports"},
    "workflows": STANDARD | {"pydantic", "temporalio", "workflows"},
}
"""What each layer may import; the first folder that holds a file decides."""
CLOCKS_AND_DICE = {"now", "today", "utcnow", "time", "monotonic", "perf_counter", "uuid1", "uuid4", "urandom"}
NOT_REPLAYABLE = {"time", "random", "secrets", "uuid", "os", "pathlib", "subprocess", "socket", "threading"}


def sources(*folders: str) -> list[Path]:
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in files if "__pycache__" not in path.parts]


def imported(path: Path) -> Iterator[str]:
    """Every module a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def covers(allowed: frozenset[str], module: str) -> bool:
    parts = module.split(".")
    return any(".".join(parts[:length]) in allowed for length in range(1, len(parts) + 1))


def test_the_arrows_between_packages_hold() -> None:
    linted = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize("path", sources("workflows"), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_layer_uses_only_its_libraries(path: Path) -> None:
    folder = next(folder for folder in MAY_USE if path.is_relative_to(ROOT / folder))
    strangers = {module for module in imported(path) if not covers(MAY_USE[folder], module)}
    assert not strangers


def test_the_command_line_never_loads_an_adapter() -> None:
    for path in (ROOT / "starter.py", *sources("infra")):
        assert not {module for module in imported(path) if covers(frozenset({"activities", "worker"}), module)}, path


@pytest.mark.parametrize("path", sources("workflows"), ids=lambda path: str(path.relative_to(ROOT)))
def test_replayed_code_reads_no_clock_and_throws_no_dice(path: Path) -> None:
    tree = ast.parse(path.read_text())
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    guilty = {
        ast.unparse(func)
        for func in called
        if isinstance(func, ast.Attribute) and func.attr in CLOCKS_AND_DICE and ast.unparse(func.value) != "workflow"
    }
    assert not guilty
    assert not {module for module in imported(path) if module.partition(".")[0] in NOT_REPLAYABLE}


def test_every_file_fits_in_a_head() -> None:
    files = [*sources("workflows", "activities", "infra", "tests"), ROOT / "worker.py", ROOT / "starter.py"]
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in files}
    assert not {path: lines for path, lines in lengths.items() if lines > MOST_LINES}


def test_nobody_else_owns_our_names() -> None:
    owners = packages_distributions()
    assert {name: owners.get(name, ["pawl"]) for name in OURS} == {name: ["pawl"] for name in OURS}


def test_adapters_offer_every_activity_of_their_port() -> None:
    """The SDK finds an activity by the decorator on the adapter's own method; the port's is not inherited."""
    __import__("worker")
    adapters = [kind for kind in subclasses(Port) if kind.__module__.startswith("activities.")]
    assert len(adapters) >= 7
    for adapter in adapters:
        steps = {name for base in adapter.__mro__ for name in getattr(base, "__abstractmethods__", ())}
        silent = {name for name in steps if not hasattr(getattr(adapter, name), "__temporal_activity_definition")}
        assert not silent, adapter


def subclasses(kind: type[Port]) -> Iterator[type[Port]]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def locked_versions() -> dict[str, str]:
    pins = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def wanted_requirements() -> list[Requirement]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    return [Requirement(text) for text in [*wanted, *project["build-system"]["requires"]]]


def test_the_lock_is_what_pyproject_asks_for() -> None:
    locked = locked_versions()
    for wanted in wanted_requirements():
        version = locked.get(canonicalize_name(wanted.name))
        assert version is not None, f"{wanted.name} is not in requirements.lock: run `make lock`"
        assert wanted.specifier.contains(version, prereleases=True), f"{wanted} is locked at {version}"


@pytest.mark.parametrize("name", ["requirements.lock", "infra/uv.lock.txt"])
def test_a_lock_pins_every_package_by_hash_and_names_no_server(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    entries = re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:]
    assert entries
    assert not [entry.partition("\n")[0] for entry in entries if "--hash=sha256:" not in entry]


def test_links_between_our_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    dead = {
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    }
    assert not dead
