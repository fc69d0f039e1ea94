"""Protected paths: what a person must have approved before anybody else's machine sees it. A pure rule over names."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from workflows.domain.policy import ProtectedPaths

CI = (
    ".github/workflows/**", ".github/actions/**", ".forgejo/workflows/**", ".gitea/workflows/**",
    ".gitlab-ci.yml", ".gitlab-ci/**", ".gitlab/ci/**",
    ".circleci/**", "Jenkinsfile*", ".jenkins/**", "azure-pipelines*.yml", "azure-pipelines*.yaml",
    ".azure-pipelines/**", ".azuredevops/**", ".buildkite/**", "bitbucket-pipelines.yml", ".travis.yml",
    "appveyor.yml", ".appveyor.yml", ".drone.*", ".woodpecker*", ".woodpecker/**", ".cirrus.*", ".semaphore/**",
    ".teamcity/**", ".tekton/**", ".builds/**", ".build.yml", "buildspec*.yml", "cloudbuild.yaml", "cloudbuild.yml",
    "codefresh.yml", "netlify.toml", "vercel.json", ".readthedocs.yml", ".readthedocs.yaml", ".ci/**",
)  # fmt: skip
"""What a hosting service runs by itself, with the repository's secrets, as soon as the branch is there."""

OWNERS = (
    "CODEOWNERS", ".github/settings.yml", ".github/dependabot.yml", ".github/dependabot.yaml", "renovate.json",
    "renovate.json5", ".renovaterc*",
)  # fmt: skip
"""Who must review, what the host enforces, and which robots may write."""

AGENTS = (
    "WORKFLOW.md", ".pawl/**", "AGENTS.md", "CLAUDE.md", "GEMINI.md", ".claude/**", ".codex/**", ".cursor/**",
    ".cursorrules", ".windsurfrules", ".mcp.json", ".github/copilot-instructions.md", ".github/instructions/**",
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
_IGNORED_BY_MACS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


def protected(paths: Iterable[str], rules: ProtectedPaths) -> tuple[str, ...]:
    """Those of the paths that a person must approve, in order."""
    globs = (*ALWAYS, *(LOCKS if rules.lock_files else ()), *rules.paths)
    return tuple(path for path in paths if any(covers(glob, path) for glob in globs) and not exempt(path, rules.allow))


def exempt(path: str, globs: tuple[str, ...]) -> bool:
    """Whether the policy makes an exception for exactly this spelling."""
    return any(_pattern(glob).fullmatch(path) for glob in globs)


def covers(glob: str, path: str) -> bool:
    """Whether a glob means the path, or something that would be below it: a link named `.github` changes all in there.

    A glob without a slash means a name in any folder, `*` stops at slashes, `**` does not. Letters count the same in
    either case and in every spelling that a Mac or Windows takes for the same file.
    """
    glob, path = _one_spelling(glob), _one_spelling(path)
    if _pattern(glob).fullmatch(path):
        return True
    literal = glob.partition("*")[0]
    return literal.startswith(f"{path}/")


def _one_spelling(path: str) -> str:
    """The name as the most forgiving file system reads it."""
    whole = unicodedata.normalize("NFC", _IGNORED_BY_MACS.sub("", path)).casefold()
    return "/".join(part if set(part) <= {"."} else part.rstrip(". ") for part in whole.split("/"))


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    anywhere = "" if "/" in glob else "(?:.*/)?"
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile(anywhere + "".join(meanings.get(part) or re.escape(part) for part in parts), re.DOTALL)
