"""What sandboxes and git raise while a workspace is worked on, as a ticket understands it."""

from collections.abc import Generator
from contextlib import contextmanager

from activities.errors import from_sandbox, stop
from activities.git.failures import told as told_of_git
from workflows.domain.failures import Failure
from workflows.domain.shown import code, fenced
from workflows.ports.sandbox import SandboxError

_MOST_LINE = 500
_MOST_OUTPUT = 2_000


class NotPrepared(SandboxError):
    """A command that installs what the repository needs failed. Final until the repository or the index changes."""

    def __init__(self, line: str, how: str, output: str) -> None:
        super().__init__(
            f"The environment cannot be prepared: {code(line[:_MOST_LINE])} {how}. It said:\n\n"
            f"{fenced(output.strip()[-_MOST_OUTPUT:])}\n\n"
            "Mend the command or its allowlist (pawl.sandbox.prepare of WORKFLOW.md), or choose another "
            "pawl.sandbox.environment; commit it to the base branch, then resume."
        )


@contextmanager
def told() -> Generator[None]:
    """Turn what sandboxes and git raise in the block into what a ticket understands."""
    with told_of_git():
        try:
            yield
        except NotPrepared as error:
            raise stop(Failure.NOT_PREPARED, str(error)) from error
        except SandboxError as error:
            raise from_sandbox(error) from error
