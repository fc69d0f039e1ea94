"""Which images podman and docker make containers of, and what they may fetch to this machine."""

import secrets
from dataclasses import dataclass

from workflows.domain.images import REGISTRIES, in_full
from workflows.ports.sandbox import BadSpec, SandboxSpec


@dataclass(frozen=True)
class ContainerImages:
    usual: str
    """The operator's, used where a repository names none."""
    installation: str
    """Tells this Pawl's snapshots from those of another."""
    registries: tuple[str, ...] = REGISTRIES
    """Where what a repository names may be fetched from: another could be a host of the worker's own network."""

    def of(self, spec: SandboxSpec) -> str:
        """A repository's in full, so that the program takes no part of the name for a file or a place of this machine.
        Raises BadSpec for what is no name, no snapshot of ours, or not to be fetched."""
        if spec.snapshot:
            return self.require_ours(spec.snapshot)
        return self._to_fetch(spec.image) if spec.image else self.usual

    def new(self) -> str:
        """The name of a snapshot to be made."""
        return f"{self._ours}{secrets.token_hex(8)}"

    def require_ours(self, reference: str) -> str:
        if not reference.startswith(self._ours):
            raise BadSpec(f"{reference!r} is no snapshot of this Pawl's.")
        return reference

    @property
    def _ours(self) -> str:
        """How references of our snapshots begin."""
        return f"localhost/pawl-{self.installation}:"

    def _to_fetch(self, image: str) -> str:
        try:
            registry, name = in_full(image)
        except ValueError as error:
            raise BadSpec(f"The image cannot be used: {error} (pawl.sandbox.image, or devcontainer.json).") from error
        if registry not in self.registries:
            raise BadSpec(
                f"The image {image} is at {registry}, and this worker fetches from {', '.join(self.registries)} only. "
                "Name one from there (pawl.sandbox.image, or devcontainer.json), or have the operator add the registry "
                "(PAWL_SANDBOX_REGISTRIES)."
            )
        return f"{registry}/{name}"
