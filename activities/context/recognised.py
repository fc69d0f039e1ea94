"""Which checks a repository has that declares none: told from its files, which are only read."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple, cast

from workflows.domain.change import Check

MOST_TEST_FILES = 20
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_CONFIGURATION = (*_MAKEFILES, "pyproject.toml", "setup.cfg", "tox.ini", "package.json")
_NOT_THEIRS = frozenset({"node_modules", "vendor", "third_party", "site-packages"})
_PYTEST_SECTIONS = {"pyproject.toml": "[tool.pytest", "setup.cfg": "[tool:pytest]", "tox.ini": "[pytest]"}
_NODE_RUNNERS = {"pnpm-lock.yaml": "pnpm test", "yarn.lock": "yarn test", "bun.lock": "bun run test"}


class Files(NamedTuple):
    """A repository at one commit: all its paths, and the texts that `wanted` asked for."""

    paths: Sequence[str]
    texts: Mapping[str, str]


def wanted(paths: Sequence[str]) -> list[str]:
    """The files whose text `recognise` needs."""
    return [path for path in _CONFIGURATION if path in paths] + _python_tests(paths)[:MOST_TEST_FILES]


def recognise(files: Files) -> tuple[Check, ...]:
    """`make test` when there is such a target; else one check for each toolchain that has tests at the root."""
    if check := _make(files):
        return (check,)
    return tuple(check for find in _TOOLCHAINS if (check := find(files)))


def _make(files: Files) -> Check | None:
    makefile = next((name for name in _MAKEFILES if name in files.paths), "")
    has_target = re.search(r"^test\s*:(?!=)", files.texts.get(makefile, ""), re.MULTILINE)
    return Check(name="make test", run="make test") if has_target else None


def _python(files: Files) -> Check | None:
    tests = _python_tests(files.paths)
    if not tests:
        return None
    text = "\n".join(files.texts.get(path, "") for path in tests)
    if "unittest" in text and "pytest" not in text and not _configures_pytest(files):
        return Check(name="unittest", run=_unittest(files.paths, tests))
    return Check(name="pytest", run="python3 -m pytest -q")


def _configures_pytest(files: Files) -> bool:
    names = {PurePosixPath(path).name for path in files.paths}
    sections = any(section in files.texts.get(name, "") for name, section in _PYTEST_SECTIONS.items())
    return sections or not names.isdisjoint({"pytest.ini", ".pytest.ini", "conftest.py"})


def _unittest(paths: Sequence[str], tests: Sequence[str]) -> str:
    folder = PurePosixPath(tests[0]).parts[0] if "/" in tests[0] else "."
    top = " -t ." if f"{folder}/__init__.py" in paths else ""
    return f"python3 -m unittest discover -s {folder}{top}"


def _python_tests(paths: Sequence[str]) -> list[str]:
    """Test files, those in `tests` or `test` and at the root: elsewhere they may belong to something else."""
    found = [PurePosixPath(path) for path in paths if re.search(r"(^|/)(test_[^/]*|[^/]*_test)\.py$", path)]
    near = [path for path in found if len(path.parts) == 1 or path.parts[0] in ("tests", "test")]
    return sorted(str(path) for path in near if _NOT_THEIRS.isdisjoint(path.parts))


def _node(files: Files) -> Check | None:
    try:
        package: Any = json.loads(files.texts.get("package.json", "null"))
    except ValueError:
        return None
    scripts = cast("dict[str, object]", package).get("scripts") if isinstance(package, dict) else None
    test = cast("dict[str, object]", scripts).get("test") if isinstance(scripts, dict) else None
    if not isinstance(test, str) or not test.strip() or "no test specified" in test:
        return None
    run = next((run for lock, run in _NODE_RUNNERS.items() if lock in files.paths), "npm test")
    return Check(name=run, run=run)


def _go(files: Files) -> Check | None:
    has_tests = "go.mod" in files.paths and any(path.endswith("_test.go") for path in files.paths)
    return Check(name="go test", run="go test ./...") if has_tests else None


def _rust(files: Files) -> Check | None:
    return Check(name="cargo test", run="cargo test") if "Cargo.toml" in files.paths else None


_TOOLCHAINS: tuple[Callable[[Files], Check | None], ...] = (_python, _node, _go, _rust)
