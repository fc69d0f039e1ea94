"""Which files decide what a preparation installs, so that another one is due when they change."""

import time

import pytest

from workflows.domain.dependencies import deciding


def decides(path: str, line: str = "true", *more: str) -> bool:
    return deciding({path: "1", "src/a.py": "1"}, (line,), more) == [f"{path} 1"]


@pytest.mark.parametrize(
    "path",
    [
        "uv.lock", "web/package-lock.json", "requirements.txt", "dev-requirements.txt", "requirements/base.txt",
        "api/requirements/dev.in", "constraints.txt", "requirements.in", "Pipfile", "environment.yml",
        "npm-shrinkwrap.json", ".npmrc", "go.work.sum", "Cargo.toml", ".cargo/config.toml", "pom.xml",
        "app/gradle.lockfile", "gradle/libs.versions.toml", "Gemfile", "composer.json", "flake.nix", "nix/shell.nix",
        ".devcontainer/devcontainer.json",
    ],
)  # fmt: skip
def test_files_of_package_managers_do(path: str) -> None:
    assert decides(path)


@pytest.mark.parametrize("path", ["src/b.py", "notes.txt", "README.md", "Makefile", "lock.py", "setup.sh"])
def test_others_do_not(path: str) -> None:
    assert not decides(path)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("sh setup.sh", "setup.sh"),
        ("sh ./tools/setup.sh --all", "tools/setup.sh"),
        ("cd tools && ./setup.sh", "tools/setup.sh"),
        ("(cd tools;../setup.sh)", "setup.sh"),
        ('bash "$PWD/tools/setup"', "tools/setup"),
        ("pip install --requirement=deps/base.pip", "deps/base.pip"),
        ("cat deps/*.pip > /tmp/all", "deps/base.pip"),
        ("make -C tools deps", "tools/Makefile"),
        ("/usr/bin/make deps", "rules.mk"),
        ("just deps", "justfile"),
    ],
)
def test_files_that_a_line_names_or_its_programs_read_do(line: str, path: str) -> None:
    assert decides(path, line)
    assert not decides("other/else.txt", line)


@pytest.mark.parametrize("line", ["pip install *", "cp -r . /tmp/x", "ls ./*"])
def test_a_line_that_names_everything_names_nothing(line: str) -> None:
    assert not decides("src/b.py", line)


@pytest.mark.parametrize(
    ("glob", "path", "does"),
    [
        ("deps.lst", "deps.lst", True),
        ("deps.lst", "tools/deps.lst", True),
        ("deps/*.lst", "deps/a.lst", True),
        ("deps/*.lst", "deps/a/b.lst", False),
        ("deps/**", "deps/a/b.lst", True),
        ("**/deps.lst", "deps.lst", True),
        ("[ab].lst", "a.lst", False),
    ],
)
def test_globs_mean_what_they_mean_elsewhere(glob: str, path: str, does: bool) -> None:
    assert decides(path, "true", glob) is does


def test_a_large_repository_is_looked_through_at_once() -> None:
    blobs = {f"src/pkg{number % 100}/sub{number % 7}/module_{number}.py": "1" for number in range(20_000)}
    began = time.process_time()
    assert deciding(blobs, ("make deps",), ("deps/**",)) == []
    assert time.process_time() - began < 1
