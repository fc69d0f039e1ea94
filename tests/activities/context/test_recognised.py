"""Which checks a repository is seen to have."""

import pytest

from activities.context.recognised import Files, recognise, wanted

T = "tests/test_a.py"


@pytest.mark.parametrize(
    ("texts", "runs"),
    [
        ({}, []),
        ({"README.md": "tests: run them"}, []),
        ({"Makefile": "all:\n\ttrue\ntest: all\n\ttrue\n", "pyproject.toml": "", T: "import pytest"}, ["make test"]),
        ({"Makefile": "test := 5\ntests:\n\ttrue\n"}, []),
        ({"GNUmakefile": "test:\n\ttrue\n"}, ["make test"]),
        ({T: "import pytest"}, ["python3 -m pytest -q"]),
        ({T: "def test_a(): pass"}, ["python3 -m pytest -q"]),
        ({T: "import unittest"}, ["python3 -m unittest discover -s tests"]),
        ({T: "import unittest", "tests/__init__.py": ""}, ["python3 -m unittest discover -s tests -t ."]),
        ({"test_a.py": "from unittest import TestCase"}, ["python3 -m unittest discover -s ."]),
        ({T: "import unittest", "tests/test_b.py": "import pytest"}, ["python3 -m pytest -q"]),
        ({T: "import unittest", "pyproject.toml": "[tool.pytest.ini_options]"}, ["python3 -m pytest -q"]),
        ({T: "import unittest", "setup.cfg": "[tool:pytest]"}, ["python3 -m pytest -q"]),
        ({T: "import unittest", "tox.ini": "[pytest]"}, ["python3 -m pytest -q"]),
        ({T: "import unittest", "conftest.py": ""}, ["python3 -m pytest -q"]),
        ({"pyproject.toml": "[tool.pytest.ini_options]"}, []),
        ({"node_modules/x/test_a.py": "", "src/deep/test_a.py": ""}, []),
        ({"package.json": '{"scripts": {"test": "jest"}}'}, ["npm test"]),
        ({"package.json": '{"scripts": {"test": "jest"}}', "pnpm-lock.yaml": ""}, ["pnpm test"]),
        ({"package.json": '{"scripts": {"test": "jest"}}', "yarn.lock": ""}, ["yarn test"]),
        ({"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}'}, []),
        ({"package.json": '{"scripts": []}'}, []),
        ({"package.json": "[1]"}, []),
        ({"package.json": "{broken"}, []),
        ({"go.mod": "module x", "x_test.go": ""}, ["go test ./..."]),
        ({"go.mod": "module x"}, []),
        ({"Cargo.toml": "[package]"}, ["cargo test"]),
        ({T: "import pytest", "Cargo.toml": ""}, ["python3 -m pytest -q", "cargo test"]),
    ],
)
def test_checks_are_recognised(texts: dict[str, str], runs: list[str]) -> None:
    paths = list(texts)
    read = {path: texts[path] for path in wanted(paths)}
    assert [check.run for check in recognise(Files(paths, read))] == runs


def test_only_a_few_test_files_are_read() -> None:
    assert len(wanted([f"tests/test_{n}.py" for n in range(1_000)])) == 20
