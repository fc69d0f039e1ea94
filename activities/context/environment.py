"""Which environment a repository's commands run in: told from its files at the base commit, which are only read."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from activities.context.devcontainer import BadDevcontainer, read_devcontainer
from activities.errors import stop
from workflows.domain.environment import DEVCONTAINERS, FLAKE, Environment, EnvironmentKind, chosen, environment
from workflows.domain.failures import Failure
from workflows.domain.flake import starter_flake
from workflows.domain.policy import SandboxPolicy

_INSTEAD = (
    "Mend it, or say `environment: plain` under pawl.sandbox in WORKFLOW.md and what to install under "
    "pawl.sandbox.prepare.run; commit it to the base branch, then resume."
)


async def find_environment(
    policy: SandboxPolicy, blobs: Mapping[str, str], text: Callable[[str], Awaitable[str]]
) -> Environment:
    """`blobs`: every path with the id of its content; `text` reads one. Raises BadPolicy, naming the file and the next
    step, when the environment that was asked for is not there or asks for too much."""
    kind = chosen(policy.environment, bool(policy.image or policy.prepare.run), blobs)
    if kind is EnvironmentKind.NIX and FLAKE not in blobs:
        raise stop(Failure.BAD_POLICY, f"WORKFLOW.md asks for the environment nix, and there is no {FLAKE}.", _INSTEAD)
    if kind is not EnvironmentKind.DEVCONTAINER:
        return environment(kind, policy.prepare, blobs)
    path = next((path for path in DEVCONTAINERS if path in blobs), "")
    if not path:
        cause = f"WORKFLOW.md asks for the environment devcontainer, and there is no {DEVCONTAINERS[0]}."
        raise stop(Failure.BAD_POLICY, cause, _INSTEAD)
    try:
        devcontainer = read_devcontainer(await text(path))
    except BadDevcontainer as error:
        raise stop(Failure.BAD_POLICY, f"{path} cannot be used. {error}", _INSTEAD) from error
    return environment(kind, policy.prepare, blobs, devcontainer)


def proposed_flake(policy: SandboxPolicy, found: Environment, paths: Iterable[str]) -> str:
    """The flake that people may want to commit; empty where none was asked for, or the repository has said otherwise
    where its tools come from."""
    there = set(paths)
    is_plain = found.kind is EnvironmentKind.PLAIN and not policy.image and FLAKE not in there
    return starter_flake(there) if policy.propose_flake and is_plain else ""
