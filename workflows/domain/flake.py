"""A first flake.nix for a repository that has none: the tools of the languages it is found to be written in."""

from collections.abc import Iterable

_TOOLS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("pyproject.toml", "requirements.txt", "setup.py", "setup.cfg"), "python3"),
    (("uv.lock",), "uv"),
    (("poetry.lock",), "poetry"),
    (("package.json",), "nodejs"),
    (("pnpm-lock.yaml",), "pnpm"),
    (("yarn.lock",), "yarn"),
    (("bun.lock", "bun.lockb"), "bun"),
    (("go.mod",), "go"),
    (("Cargo.toml",), "cargo"),
    (("Cargo.toml",), "rustc"),
    (("GNUmakefile", "makefile", "Makefile"), "gnumake"),
)
"""Files at the root, any of which asks for a package of nixpkgs."""
_FLAKE = """\
{
  description = "The tools this repository is built and tested with";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable";

  outputs =
    { nixpkgs, ... }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      shell =
        pkgs:
        pkgs.mkShell {
          packages = [
PACKAGES
          ];
        };
    in
    {
      devShells = nixpkgs.lib.genAttrs systems (system: {
        default = shell nixpkgs.legacyPackages.${system};
      });
    };
}
"""


def starter_flake(paths: Iterable[str]) -> str:
    """The text of a flake.nix for a repository with these files; empty where none of them names a language."""
    there = set(paths)
    tools = [tool for names, tool in _TOOLS if not there.isdisjoint(names)]
    packages = "\n".join(f"            pkgs.{tool}" for tool in tools)
    return _FLAKE.replace("PACKAGES", packages) if tools else ""
