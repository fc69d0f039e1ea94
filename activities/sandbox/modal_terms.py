"""What is ours in Modal's terms: names, tags, network rules and errors. Nothing here calls Modal."""

import hashlib
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from urllib.parse import quote, unquote

from grpclib.exceptions import StreamTerminatedError
from modal import exception

from workflows.domain.egress import Rule, parse
from workflows.domain.model import Record
from workflows.ports.sandbox import (
    BadSpec,
    Capacity,
    Denied,
    Gone,
    PolicyUnsupported,
    SandboxError,
    Transient,
)

_NAME_SHOWN = 40
_TAG_LENGTH = 63
"""What Modal takes in the tags of apps, and of sandboxes for all we know."""
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,40}")
_TLS = 443

_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[SandboxError], str], ...] = (
    ((exception.ClientClosed,), Transient, ""),
    (
        (
            exception.NotFoundError,
            exception.ConflictError,  # "already finished"; a duplicate name has an error of its own
            exception.SandboxTimeoutError,
            exception.SandboxTerminatedError,
        ),
        Gone,
        "",
    ),
    ((exception.ResourceExhaustedError,), Capacity, ""),
    (
        (exception.AuthError, exception.PermissionDeniedError),
        Denied,
        "Check MODAL_TOKEN_ID and MODAL_TOKEN_SECRET of the worker.",
    ),
    ((exception.InvalidError, exception.UnimplementedError, exception.ImageBuildError), BadSpec, ""),
    ((exception.Error, StreamTerminatedError, OSError, TimeoutError), Transient, ""),
)
"""The first line that fits decides."""


@contextmanager
def port_errors(what: str) -> Generator[None]:
    """Whatever Modal's client raises, in the port's terms. `what` begins the sentence people read."""
    try:
        yield
    except (exception.Error, StreamTerminatedError, OSError, TimeoutError) as error:
        meaning, hint = next((kind, hint) for kinds, kind, hint in _MEANINGS if isinstance(error, kinds))
        said = str(error) or type(error).__name__
        raise meaning(f"{what}: {said.rstrip('.')}. {hint}".strip()) from error


class Reach(Record):
    """A sandbox's network as `Sandbox.create` takes it."""

    blocked: bool = False
    domains: tuple[str, ...] | None = None
    blocks: tuple[str, ...] | None = None


def reach(allowlist: tuple[str, ...], every_port: bool) -> Reach:
    """The allowlist in Modal's terms. Raises PolicyUnsupported for what Modal would open wider than asked, or not at
    all. `every_port`: see ModalVendor."""
    rules = [parse(rule) for rule in allowlist]
    if not rules:
        return Reach(blocked=True)
    by_name = [rule for rule in rules if rule.block is None]
    by_address = [rule for rule in rules if rule.block is not None]
    for rule in by_name:
        _require_names_fit(rule, by_name)
    if by_address and not every_port:
        raise PolicyUnsupported(
            f"Modal opens every port of an allowed address, and {by_address[0].text} names "
            f"{_ports(by_address[0])} only. Name the host instead of its address, or have "
            "whoever runs Pawl accept every port (MODAL_EVERY_PORT=yes)."
        )
    return Reach(
        domains=tuple(f"*.{rule.name}" if rule.below else rule.name for rule in by_name),
        blocks=tuple(str(rule.block) for rule in by_address),
    )


def _require_names_fit(rule: Rule, by_name: list[Rule]) -> None:
    if _TLS not in rule.ports:
        raise PolicyUnsupported(
            f"Modal allows names for encrypted connections to port {_TLS} only, and the allowlist has {rule.text}."
        )
    if rule.below and not any(other.name == rule.name and not other.below for other in by_name):
        raise PolicyUnsupported(
            f"Modal's *.{rule.name} also opens {rule.name} itself, which the allowlist does not. Add {rule.name}, or "
            "name the hosts."
        )


def _ports(rule: Rule) -> str:
    return " and ".join(str(port) for port in rule.ports)


def name_of(installation: str, key: str) -> str:
    """The sandbox's unique name: at most 64 of the characters Modal allows, the same for the same key of the same
    installation and for no other."""
    digest = hashlib.sha256(f"{installation}\0{key}".encode()).hexdigest()[:20]
    return f"{key[:_NAME_SHOWN]}-{digest}"


def to_tags(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels as tags: odd characters spelt out, and what is too long gone on with in `name.2`, `name.3`. Raises BadSpec
    for a label that cannot be a tag's name."""
    tags: dict[str, str] = {}
    for name, value in labels.items():
        if not _LABEL.fullmatch(name):
            raise BadSpec(f"Modal takes no tag with the name {name!r}: use letters, digits, dashes and underscores.")
        tags |= in_parts(name, value)
    return tags


def from_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The labels in a sandbox's tags."""
    return {name: whole(name, tags) for name in tags if "." not in name}


def in_parts(name: str, value: str) -> dict[str, str]:
    """One value as tags."""
    # what quote leaves as it is, but a tag may not hold or we use for ourselves
    spelt = quote(value, safe="").replace("_", "%5F").replace("~", "%7E").replace("%", "_") or "_"
    parts = [spelt[at : at + _TAG_LENGTH] for at in range(0, len(spelt), _TAG_LENGTH)]
    return {name if n == 1 else f"{name}.{n}": part for n, part in enumerate(parts, start=1)}


def whole(name: str, tags: Mapping[str, str]) -> str:
    """The value of a name, as `in_parts` had it; empty when there is none."""
    spelt, n = tags.get(name, ""), 2
    while part := tags.get(f"{name}.{n}"):
        spelt, n = spelt + part, n + 1
    return "" if spelt == "_" else unquote(spelt.replace("_", "%"))
