"""The flake that is proposed: what is in it follows from the files alone, and Nix takes it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from workflows.domain.flake import starter_flake

NIXPKGS = """
  (import %s).outputs {
    nixpkgs = rec {
      lib.genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ] (system: {
        mkShell = asked: asked;
        python3 = "python3 for ${system}"; uv = "uv"; poetry = "poetry"; nodejs = "nodejs"; pnpm = "pnpm"; bun = "bun";
        yarn = "yarn"; go = "go"; cargo = "cargo"; rustc = "rustc"; gnumake = "gnumake";
      });
    };
  }
"""
"""As much of nixpkgs as the flake uses."""
EVERYTHING = (
    *("pyproject.toml", "uv.lock", "poetry.lock", "package.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock"),
    *("go.mod", "Cargo.toml", "Makefile"),
)


@pytest.mark.parametrize(
    ("paths", "tools"),
    [
        (("pyproject.toml", "src/x.py"), "python3"),
        (("requirements.txt", "uv.lock"), "python3 uv"),
        (("setup.py", "poetry.lock"), "python3 poetry"),
        (("package.json",), "nodejs"),
        (("package.json", "pnpm-lock.yaml"), "nodejs pnpm"),
        (("package.json", "yarn.lock"), "nodejs yarn"),
        (("package.json", "bun.lock"), "nodejs bun"),
        (("go.mod", "Makefile"), "go gnumake"),
        (("Cargo.toml",), "cargo rustc"),
        (EVERYTHING, "python3 uv poetry nodejs pnpm yarn bun go cargo rustc gnumake"),
    ],
)
def test_the_tools_of_what_is_at_the_root(paths: tuple[str, ...], tools: str) -> None:
    flake = starter_flake(paths)
    found = [line.strip().removeprefix("pkgs.") for line in flake.splitlines() if line.strip().startswith("pkgs.")]
    assert [tool for tool in found if not tool.startswith("mkShell")] == tools.split()
    assert starter_flake(reversed(paths)) == flake


@pytest.mark.parametrize("paths", [(), ("README.md",), ("examples/package.json", "docs/Makefile")])
def test_nothing_is_proposed_where_no_language_is_found(paths: tuple[str, ...]) -> None:
    assert starter_flake(paths) == ""


@pytest.mark.skipif(not shutil.which("nix-instantiate"), reason="nix is not installed")
def test_nix_evaluates_it_to_a_shell_for_each_system(tmp_path: Path) -> None:
    (tmp_path / "flake.nix").write_text(starter_flake(EVERYTHING))
    asked = ("nix-instantiate", "--eval", "--strict", "--json", "--expr", NIXPKGS % (tmp_path / "flake.nix"))
    # its state is the test's own: nothing of it needs a store
    told = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "NIX_REMOTE": f"local?root={tmp_path}"}
    path = shutil.which("nix-instantiate") or ""
    ended = subprocess.run([path, *asked[1:]], capture_output=True, text=True, env=told, timeout=60)
    assert ended.returncode == 0, ended.stderr
    shells = json.loads(ended.stdout)["devShells"]
    assert sorted(shells) == ["aarch64-darwin", "aarch64-linux", "x86_64-darwin", "x86_64-linux"]
    assert shells["aarch64-linux"]["default"]["packages"][:2] == ["python3 for aarch64-linux", "uv"]
