"""Which files decide what a preparation installs: those of package managers, and those its lines name."""

import re
from collections.abc import Iterable, Iterator, Mapping

from workflows.domain.globs import matching

FILES = (
    # Python
    "*requirements*.txt", "*requirements*.in", "**/requirements/**", "*constraints*.txt", "*constraints*.in",
    "pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "pylock*.toml", "environment*.yml", "environment*.yaml",
    "conda*.yml", "pixi.toml", "pip.conf", ".python-version",
    # JavaScript
    "package.json", "npm-shrinkwrap.json", "*lock.json", "*.lockb", ".npmrc", ".yarnrc", ".yarnrc.yml",
    "pnpm-workspace.yaml", ".pnpmfile.cjs", "bunfig.toml", "deno.json", "deno.jsonc", ".nvmrc", ".node-version",
    # Go, Rust
    "go.mod", "go.sum", "go.work", "go.work.sum", "Cargo.toml", "**/.cargo/config*", "rust-toolchain*",
    # Java and its kin
    "pom.xml", "**/.mvn/**", "*.gradle", "*.gradle.kts", "gradle.properties", "*.lockfile", "*.versions.toml",
    "gradle-wrapper.properties", "verification-metadata.xml", "build.sbt", "**/project/*.sbt", "deps.edn",
    # Ruby, PHP, .NET, Elixir, Dart, Swift, Haskell, C and C++
    "Gemfile", "gems.rb", "gems.locked", "*.gemspec", ".bundle/config", ".ruby-version", "composer.json",
    "*.csproj", "*.fsproj", "packages.config", "nuget.config", "NuGet.Config", "global.json", "Directory.*.props",
    "paket.dependencies", "mix.exs", "pubspec.yaml", "Package.swift", "Package.resolved", "*.cabal", "cabal.project*",
    "stack.yaml", "conanfile.*", "vcpkg.json",
    # Any
    "*.lock", "*-lock.yaml", "*-lock.yml", ".tool-versions", "mise.toml", ".mise.toml", "*.nix", "devbox.json",
    "devcontainer.json", ".devcontainer.json",
)  # fmt: skip
"""Globs."""
READ_BY: Mapping[str, tuple[str, ...]] = {
    "make": ("GNUmakefile", "makefile", "Makefile", "*.mk"),
    "just": ("justfile", "Justfile", ".justfile"),
    "task": ("Taskfile.y*ml", "taskfile.y*ml"),
    "rake": ("Rakefile", "rakefile"),
    "tox": ("tox.ini",),
    "nox": ("noxfile.py",),
    "inv": ("tasks.py",),
    "invoke": ("tasks.py",),
    "cmake": ("CMakeLists.txt", "*.cmake"),
}
"""What programs read that a line need not name."""
_WORD = re.compile(r"[^\s'\"`;&|<>(){}=,:$]+")


def deciding(blobs: Mapping[str, str], lines: Iterable[str], more: tuple[str, ...]) -> list[str]:
    """Path and content of each file that decides what these shell lines install, in order. `more`: further globs."""
    globs = {*FILES, *more, *(glob for line in lines for glob in _named(line))}
    return sorted(f"{path} {blobs[path]}" for path in matching(globs, blobs))


def _named(line: str) -> Iterator[str]:
    """Globs of the files that a line names, in whichever folder it has gone to by then."""
    for word in _WORD.findall(line):
        name = word.rpartition("/")[2]
        yield from READ_BY.get(name, ())
        if "*" in name and re.search(r"\w", word):
            yield f"**/{re.sub(r'^([.]{0,2}/)+', '', word)}"
        elif name:
            yield name
