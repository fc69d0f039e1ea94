"""Which paths a person must have approved, and which globs a policy may name."""

import pytest
from pydantic import ValidationError

from workflows.domain.policy import Policy, ProtectedPaths
from workflows.domain.protected import covers, protected

NOTHING_SAID = ProtectedPaths()


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/ci.yml",
        ".github/workflows/deep/er.yml",
        ".github/actions/setup/action.yml",
        ".gitlab-ci.yml",
        "services/api/.gitlab-ci.yml",
        ".circleci/config.yml",
        "Jenkinsfile",
        "deploy/Jenkinsfile.release",
        "azure-pipelines.yml",
        ".buildkite/pipeline.yml",
        "bitbucket-pipelines.yml",
        ".travis.yml",
        ".woodpecker/test.yml",
        ".ci/run",
        ".gitea/actions/setup/action.yml",
        ".taskcluster.yml",
        ".zuul.yaml",
        "zuul.d/jobs.yaml",
        ".gitlab/security-policies/policy.yml",
        ".mergify.yml",
        "pkg/OWNERS",
        "AGENTS.override.md",
        "CLAUDE.local.md",
        ".github/agents/reviewer.md",
        ".github/prompts/x.prompt.md",
        "flake.nix",
        "CODEOWNERS",
        ".github/CODEOWNERS",
        "docs/CODEOWNERS",
        ".gitlab/CODEOWNERS",
        ".github/dependabot.yml",
        "renovate.json",
        "WORKFLOW.md",
        "AGENTS.md",
        "packages/web/CLAUDE.md",
        ".claude/settings.json",
        ".pawl/anything",
        ".pre-commit-config.yaml",
        ".husky/pre-push",
        ".gitattributes",
        "sub/.gitmodules",
        ".lfsconfig",
        ".envrc",
        ".vscode/tasks.json",
        ".devcontainer/devcontainer.json",
        ".GitHub/Workflows/CI.yml",  # one file to Windows and Macs
        "workflow.MD",
        ".github/workflows./ci.yml",  # Windows drops the dot
        ".git\u200battributes".replace("\u200b", "\u200c"),  # a Mac drops the mark
        ".github",  # a link in place of the folder brings another one's files
        ".github/workflows",
    ],
)
def test_protected_without_a_word_of_the_policy(path: str) -> None:
    assert protected([path], NOTHING_SAID) == (path,)


@pytest.mark.parametrize(
    "path",
    [
        "src/app.py",
        "README.md",
        ".github/ISSUE_TEMPLATE/bug.md",
        ".github/PULL_REQUEST_TEMPLATE.md",
        "github/workflows/ci.yml",
        "docs/workflow.md/x.txt",
        "src/my-AGENTS.md.txt",
        "Dockerfile",
        "Makefile",
        "tests/test_codeowners.py",
        "poetry.lock",
        "package-lock.json",
        "go.sum",
    ],
)
def test_not_protected_by_itself(path: str) -> None:
    assert protected([path], NOTHING_SAID) == ()


def test_lock_files_where_the_policy_says_so() -> None:
    paths = ["uv.lock", "web/package-lock.json", "go.sum", "requirements.txt", "src/lock.py"]
    assert protected(paths, ProtectedPaths(lock_files=True)) == tuple(paths[:4])


def test_a_policy_adds_paths_and_makes_exceptions() -> None:
    rules = ProtectedPaths(paths=("Dockerfile", "deploy/**"), allow=("deploy/notes/*.md", ".github/workflows/docs.yml"))
    paths = ["api/Dockerfile", "deploy/prod/a.tf", "deploy/notes/a.md", ".github/workflows/docs.yml", ".ci/run"]
    assert protected(paths, rules) == ("api/Dockerfile", "deploy/prod/a.tf", ".ci/run")
    assert protected([".github/Workflows/docs.yml"], rules), "an exception is for its own spelling"


@pytest.mark.parametrize(
    ("glob", "path", "covered"),
    [
        ("deploy/**", "deploy/a/b", True),
        ("deploy/**", "x/deploy/a", False),  # with a slash: from the root
        ("*.tf", "a/b/c.tf", True),  # without: anywhere
        ("deploy/*.tf", "deploy/a/b.tf", False),
        ("**/prod/*.tf", "prod/a.tf", True),
        ("**/prod/*.tf", "a/b/prod/a.tf", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a.c", "abc", False),
        ("[x].txt", "[x].txt", True),
        ("x", "x\ny", False),
    ],
)
def test_globs(glob: str, path: str, covered: bool) -> None:
    assert covers(glob, path) is covered


@pytest.mark.parametrize("glob", ["", " ", "/deploy/**", "!deploy/**", "..\\x", "a/../b"])
def test_a_glob_that_means_nothing_is_said(glob: str) -> None:
    for section in ({"protected": {"paths": [glob]}}, {"protected": {"allow": [glob]}}, {"secrets": {"allow": [glob]}}):
        with pytest.raises(ValidationError, match="names no path"):
            Policy.model_validate(section)
