"""Allowlists for vendors whose firewalls know host names at the ports of the web, and nothing finer."""

from collections.abc import Iterable

from workflows.domain.egress import STANDARD_PORTS, Rule, parse
from workflows.ports.sandbox import PolicyUnsupported


def web_names(egress: Iterable[str], vendor: str, *, wildcards: bool) -> tuple[str, ...]:
    """The rules as names, `*.name` for what is below one. Raises PolicyUnsupported for a rule that the vendor would
    open wider than it is written, or not at all."""
    return tuple(_name(parse(rule), vendor, wildcards) for rule in egress)


def _name(rule: Rule, vendor: str, wildcards: bool) -> str:
    if rule.block is not None:
        raise PolicyUnsupported(f"{vendor} opens every port of an address, and the allowlist has {rule.text}: name it.")
    if rule.ports != STANDARD_PORTS:
        raise PolicyUnsupported(
            f"{vendor} allows a host at ports 80 and 443 together and at no other, and the allowlist has {rule.text}."
        )
    if rule.below and not wildcards:
        raise PolicyUnsupported(
            f"{vendor} can allow names below a name only beside a name server that carries data out, and the allowlist "
            f"has {rule.text}: write each host."
        )
    return f"*.{rule.name}" if rule.below else rule.name
