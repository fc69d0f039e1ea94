"""Protected paths: what a person must have approved before anybody else's machine sees it. A pure rule over names."""

import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from workflows.domain.globs import matches
from workflows.domain.policy import ProtectedPaths

CI = (
    ".github/workflows/**", ".github/actions/**", ".forgejo/workflows/**", ".forgejo/actions/**",
    ".gitea/workflows/**", ".gitea/actions/**", ".taskcluster.yml", ".zuul.yaml", "zuul.yaml", ".zuul.d/**",
    "zuul.d/**", ".gitlab/security-policies/**",
    ".gitlab-ci.yml", ".gitlab-ci/**", ".gitlab/ci/**",
    ".circleci/**", "Jenkinsfile*", ".jenkins/**", "azure-pipelines*.yml", "azure-pipelines*.yaml",
    ".azure-pipelines/**", ".azuredevops/**", ".buildkite/**", "bitbucket-pipelines.yml", ".travis.yml",
    "appveyor.yml", ".appveyor.yml", ".drone.*", ".woodpecker*", ".woodpecker/**", ".cirrus.*", ".semaphore/**",
    ".teamcity/**", ".tekton/**", ".builds/**", ".build.yml", "buildspec*.yml", "cloudbuild.yaml", "cloudbuild.yml",
    "codefresh.yml", "netlify.toml", "vercel.json", ".readthedocs.yml", ".readthedocs.yaml", ".ci/**",
)  # fmt: skip
"""What a hosting service runs by itself, with the repository's secrets, as soon as the branch is there."""

OWNERS = (
    "CODEOWNERS", "OWNERS", "OWNERS_ALIASES", ".mergify.yml", ".mergify/**", ".github/mergify.yml",
    ".github/settings.yml", ".github/dependabot.yml", ".github/dependabot.yaml", "renovate.json",
    "renovate.json5", ".renovaterc*",
)  # fmt: skip
"""Who must review, what the host enforces, and which robots may write."""

AGENTS = (
    "WORKFLOW.md", ".pawl/**", "flake.nix", "AGENTS.md", "AGENTS.override.md", "CLAUDE.md", "CLAUDE.local.md",
    "GEMINI.md", ".claude/**", ".codex/**", ".cursor/**", ".cursorrules", ".windsurfrules", ".mcp.json",
    ".github/copilot-instructions.md", ".github/instructions/**", ".github/agents/**", ".github/prompts/**",
)  # fmt: skip
"""What Pawl and other agents obey at the next ticket."""

LOCAL = (
    ".pre-commit-config.yaml", ".pre-commit-config.yml", ".pre-commit-hooks.yaml", "lefthook.y*ml", ".lefthook.y*ml",
    ".lefthook/**", ".husky/**", ".githooks/**", ".gitattributes", ".gitmodules", ".lfsconfig", ".envrc",
    ".vscode/tasks.json", ".vscode/settings.json", ".vscode/launch.json", ".devcontainer/**", ".devcontainer.json",
)  # fmt: skip
"""What runs on the machine of whoever checks the branch out or opens it."""

LOCKS = (
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb", "deno.lock",
    "poetry.lock", "uv.lock", "pdm.lock", "pylock*.toml", "Pipfile.lock", "requirements*.lock", "requirements.txt",
    "Cargo.lock", "go.sum", "Gemfile.lock", "composer.lock", "mix.lock", "gradle.lockfile", "packages.lock.json",
    "paket.lock", "Package.resolved", "Podfile.lock", "pubspec.lock", "flake.lock", "devbox.lock", "conda-lock.yml",
)  # fmt: skip
"""What decides whose code is installed. Only where the policy asks: every new dependency changes one."""

ALWAYS = (*CI, *OWNERS, *AGENTS, *LOCAL)
_MOST_LINK_HOPS = 20
_IGNORED_BY_MACS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


def protected(paths: Iterable[str], rules: ProtectedPaths) -> tuple[str, ...]:
    """Those of the paths that a person must approve, in order."""
    globs = (*ALWAYS, *(LOCKS if rules.lock_files else ()), *rules.paths)
    return tuple(path for path in paths if any(covers(glob, path) for glob in globs) and not exempt(path, rules.allow))


def led_to(links: Mapping[str, str], rules: ProtectedPaths) -> dict[str, str]:
    """Path -> the protected link that leads to it. `links`: path -> target of every link of a tree."""
    return {path: link for link in protected(sorted(links), rules) for path in _steps(link, links)}


def _steps(path: str, links: Mapping[str, str]) -> Iterator[str]:
    """Every path on the way that a link leads: other links, and the file or folder at its end."""
    for _ in range(_MOST_LINK_HOPS):
        link = next((above for above in _with_those_above(path) if above in links), "")
        if not link:
            return
        yield link
        rest = path[len(link) + 1 :]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(link), links[link], rest))
        yield path


def _with_those_above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def is_part_of(path: str, whole: str) -> bool:
    """Whether changing one changes the other: they are the same, or one is a folder that the other is in."""
    path, whole = _one_spelling(path), _one_spelling(whole)
    return whole == "." or path == whole or path.startswith(f"{whole}/") or whole.startswith(f"{path}/")


def exempt(path: str, globs: tuple[str, ...]) -> bool:
    """Whether the policy makes an exception for exactly this spelling."""
    return any(matches(glob, path) for glob in globs)


def covers(glob: str, path: str) -> bool:
    """Whether a glob means the path, or something that would be below it: a link named `.github` changes all in there.

    A glob without a slash means a name in any folder, `*` stops at slashes, `**` does not. Letters count the same in
    either case and in every spelling that a Mac or Windows takes for the same file.
    """
    glob, path = _one_spelling(glob), _one_spelling(path)
    if matches(glob, path):
        return True
    literal = glob.partition("*")[0]
    return literal.startswith(f"{path}/")


def _one_spelling(path: str) -> str:
    """The name as the most forgiving file system reads it."""
    whole = unicodedata.normalize("NFC", _IGNORED_BY_MACS.sub("", path)).casefold()
    return "/".join(part if set(part) <= {"."} else part.rstrip(". ") for part in whole.split("/"))
