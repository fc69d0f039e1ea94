"""What sandboxes and git raise while a workspace is worked on, as a ticket understands it."""

from collections.abc import Generator
from contextlib import contextmanager

from activities.errors import from_sandbox
from activities.git.failures import told as told_of_git
from workflows.ports.sandbox import SandboxError


@contextmanager
def told() -> Generator[None]:
    """Turn what sandboxes and git raise in the block into what a ticket understands."""
    with told_of_git():
        try:
            yield
        except SandboxError as error:
            raise from_sandbox(error) from error
