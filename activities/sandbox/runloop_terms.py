"""A sandbox's spec in Runloop's words: what it sells, what it lets through, and what its errors mean."""

import hashlib
import json
import math
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from runloop_api_client import APIError, APIStatusError
from runloop_api_client.types import DevboxView, NetworkPolicyView
from runloop_api_client.types.allowed_cidr_param import AllowedCidrParam
from runloop_api_client.types.shared_params import LaunchParameters

from workflows.domain.egress import Rule, parse
from workflows.domain.model import Record
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import (
    BadSpec,
    Capacity,
    Denied,
    PolicyUnsupported,
    SandboxError,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Transient,
)

_MOST_CPUS = 16
_MOST_GB = 64
_SYSTEM_GB = 4
"""Of the disk, for the image itself: the disk of Runloop's smallest devbox."""
REFUSED = (400, 404, 409, 410, 422)
"""With which of these Runloop says that something does not exist, it does not write down."""
OWNER, KEY, UNTIL, _LABEL = "pawl", "pawl_key", "pawl_until", "pawl_label_"
"""Our names in a devbox's metadata: installation, key, seconds since 1970 at the end of its lifetime, labels."""


class Egress(Record):
    """An allowlist in Runloop's words. With nothing in it nothing can be reached."""

    hostnames: tuple[str, ...]
    cidrs: tuple[tuple[str, tuple[int, ...]], ...]
    """Blocks of IPv4 addresses, each with its TCP ports."""


def egress_of(allowlist: Iterable[str], *, every_port: bool) -> Egress:
    """Raises PolicyUnsupported for what Runloop would open wider than the rule says, or cannot express."""
    rules = [parse(text) for text in allowlist]
    for rule in rules:
        if rule.block is None and not every_port:
            raise PolicyUnsupported(
                f"Runloop opens a host on every port, and {rule.text} opens it on {_ports(rule)} only. Allow the "
                "address instead (Runloop keeps the ports of addresses), or have whoever runs Pawl accept every port "
                "(RUNLOOP_EVERY_PORT=yes)."
            )
        if rule.block is not None and rule.block.version != 4:
            raise PolicyUnsupported(f"Runloop's network policies know no IPv6, and the allowlist has {rule.text}.")
    names = {f"*.{rule.name}" if rule.below else rule.name for rule in rules if rule.block is None}
    cidrs = {(str(rule.block), rule.ports) for rule in rules if rule.block is not None}
    return Egress(hostnames=tuple(sorted(names)), cidrs=tuple(sorted(cidrs)))


def size_of(limits: SandboxLimits, *, exactly: bool) -> LaunchParameters:
    """The smallest devbox Runloop sells that holds the limits: it sells memory and disk by two GiB, CPUs by two.
    Raises PolicyUnsupported for an amount of CPU it does not sell, and of memory if it is to be `exactly` that."""
    memory = _step(limits.memory_mb / 1024)
    disk = _step(limits.disk_mb / 1024 + _SYSTEM_GB)
    cpus = limits.cpus if limits.cpus is not None else _cpu_step(memory / 4)
    if cpus != _cpu_step(cpus) or cpus > _MOST_CPUS:
        raise PolicyUnsupported(f"Runloop sells 0.5, 1, 2, 4 and further pairs up to 16 CPUs, and not {cpus:g}.")
    memory = max(memory, _step(2 * cpus))
    if memory > 8 * cpus or max(memory, disk) > _MOST_GB:
        raise PolicyUnsupported(
            f"Runloop gives each CPU 2 to 8 GiB of memory, and a devbox at most 64 GiB of memory or disk. "
            f"{cpus:g} CPUs with {memory} GiB of memory and {disk} GiB of disk are not to be had."
        )
    if exactly and memory * 1024 != limits.memory_mb:
        raise PolicyUnsupported(
            f"Runloop caps memory for certain at the size of a devbox, here {memory} GiB, and the repository asks for "
            f"{limits.memory_mb} MB with `require_hard_limits` (pawl.sandbox of WORKFLOW.md)."
        )
    return {
        "resource_size_request": "CUSTOM_SIZE",
        "custom_cpu_cores": cpus,
        "custom_gb_memory": memory,
        "custom_disk_size": disk,
    }


def policy_name(egress: Egress, installation: str) -> str:
    """The name a policy of these rules is found by."""
    rules = json.dumps(egress.model_dump(), sort_keys=True)
    return f"pawl-{installation}-{hashlib.sha256(rules.encode()).hexdigest()[:20]}"


def cidrs_of(egress: Egress) -> list[AllowedCidrParam]:
    return [
        {"cidr": block, "ports": [{"port": port, "protocol": "TCP"} for port in ports]} for block, ports in egress.cidrs
    ]


def says(policy: NetworkPolicyView, egress: Egress) -> bool:
    """Whether a policy lets through exactly this, whatever its name."""
    there = policy.egress
    beside = (
        there.allow_all,
        there.allow_agent_gateway,
        there.allow_devbox_to_devbox,
        there.allow_mcp_gateway,
        there.allow_runloop_mirrors,
    )
    cidrs = [
        (cidr.cidr, [(rule.port, rule.end_port, rule.protocol) for rule in cidr.ports or ()])
        for cidr in there.allowed_cidrs
    ]
    wanted = [(block, [(port, None, "TCP") for port in ports]) for block, ports in egress.cidrs]
    return not any(beside) and sorted(there.allowed_hostnames) == [*egress.hostnames] and sorted(cidrs) == wanted


def metadata_of(spec: SandboxSpec, installation: str) -> dict[str, str]:
    return {
        OWNER: installation,
        KEY: spec.key,
        UNTIL: str(int(time.time()) + spec.lifetime_seconds),
        **{_LABEL + name: value for name, value in spec.labels.items()},
    }


def info_of(box: DevboxView) -> SandboxInfo:
    return SandboxInfo(
        ref=SandboxRef(key=box.metadata[KEY], instance=box.id),
        labels={name[len(_LABEL) :]: value for name, value in box.metadata.items() if name.startswith(_LABEL)},
        created=datetime.fromtimestamp(box.create_time_ms / 1000, UTC),
    )


def meaning(error: APIError) -> SandboxError:
    """What an error of Runloop's client means to the port."""
    if not isinstance(error, APIStatusError):  # no connection, no answer in time, or an answer that is none
        return Transient(f"Runloop could not be asked: {error.message}")
    said = f"Runloop answered {error.status_code}: {error.message}"
    if error.status_code in (401, 403):
        return Denied(said)
    if error.status_code == 429:
        return Capacity(said)
    if error.status_code in (408, 409) or error.status_code >= 500:
        return Transient(said)
    return BadSpec(said)


def _step(gigabytes: float) -> int:
    """Memory and disk come as 1 GiB or by two GiB."""
    return 1 if gigabytes <= 1 else 2 * math.ceil(gigabytes / 2)


def _cpu_step(cpus: float) -> float:
    """The least that is sold and no less."""
    return 0.5 if cpus <= 0.5 else float(_step(cpus))


def _ports(rule: Rule) -> str:
    return " and ".join(str(port) for port in rule.ports)
