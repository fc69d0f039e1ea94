"""What a sandbox may reach: names with ports, and which of the addresses behind a name may be dialled.

Standard library only: the proxy beside each sandbox enforces these rules in a process that imports nothing else.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Block = ipaddress.IPv4Network | ipaddress.IPv6Network

STANDARD_PORTS = (80, 443)
"""What a rule without a port opens: plain and encrypted HTTP."""
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LONGEST_NAME = 253
_MOST_PORT = 65_535
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"),)
"""Addresses that a network without IPv4 turns into the IPv4 address they end with (RFC 6052)."""
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(block)
    for block in (
        "168.63.129.16/32",  # Azure's own service for its machines, a public address by number
        "192.0.0.0/24",  # protocol assignments, among them a cloud's metadata
        "192.88.99.0/24",  # the former relays to 6to4
        "2001::/32",  # Teredo, which carries an IPv4 address
        "2002::/16",  # 6to4, which carries another
        "64:ff9b:1::/48",  # translation within one network (RFC 8215)
        "fec0::/10",  # site-local, deprecated and still routed by some
    )
)
"""Beside what the standard library does not call global."""


class Rule(NamedTuple):
    """One line of an allowlist."""

    text: str
    """As it was written."""
    name: str
    """A host name in lower case; empty for a rule of addresses."""
    below: bool
    """`*.name`: every name below it, not the name itself."""
    block: Block | None
    """Addresses that are named themselves. Only they may be private ones."""
    ports: tuple[int, ...]

    def covers(self, host: str, port: int) -> bool:
        """Whether a request for this host and port is allowed by name, or by the address it spells out."""
        if port not in self.ports:
            return False
        if self.block is not None:
            address = literal(host)
            return address is not None and address in self.block
        wanted = host.lower().removesuffix(".")
        if not _is_name(wanted):  # a resolver may read less of it than we do: up to a NUL, say
            return False
        return wanted.endswith(f".{self.name}") if self.below else wanted == self.name


def parse(text: str) -> Rule:
    """`pypi.org`, `*.example.org:8443`, `10.0.0.5:5432`, `[fd00::7]:443` or `192.168.0.0/24`. Raises ValueError with
    words for people."""
    if "://" in text:
        raise ValueError(f"{text!r} is a URL: write its host alone, and ':port' behind it unless that is 80 or 443.")
    host, port = _split(text.strip())
    ports = STANDARD_PORTS if port is None else (port,)
    block = _block(host)
    if block is not None:
        return Rule(text=text, name="", below=False, block=block, ports=ports)
    below = host.startswith("*.")
    name = host.removeprefix("*.").removesuffix(".").lower()
    if not _is_name(name) or name.rpartition(".")[2].isdigit():
        raise ValueError(f"{text!r} names no host: write a name, *.name, an address or a block of addresses.")
    if below and "." not in name:
        raise ValueError(f"{text!r} would allow everything below {name!r}. Name the hosts.")
    return Rule(text=text, name=name, below=below, block=None, ports=ports)


def covering(rules: Iterable[Rule], host: str, port: int) -> Rule | None:
    """The first rule that allows a request for this host and port."""
    return next((rule for rule in rules if rule.covers(host, port)), None)


def may_dial(rules: Iterable[Rule], address: Address, port: int, is_own: Callable[[Address], bool]) -> bool:
    """Whether the address a name resolved to may be connected to: a public one of another machine, or one that a rule
    spells out. `is_own` says of an address whether it is this machine's."""
    if any(rule.block is not None and port in rule.ports and address in rule.block for rule in rules):
        return True
    return _is_public(address) and not is_own(address)


def literal(host: str) -> Address | None:
    """The address that the text spells out in the one usual form; None for a name. Other spellings of addresses, such
    as `0x7f.1` or one with a zone, are names to us, and no rule covers them."""
    if "%" in host:
        return None
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _is_name(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None


def _is_public(address: Address) -> bool:
    """Neither this machine, nor its network, nor a service for machines such as the cloud's metadata. An IPv6 address
    that stands for an IPv4 one is as public as that."""
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in block for block in _NAT64):
            return _is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        if address.ipv4_mapped:
            return _is_public(address.ipv4_mapped)
    if any(address in block for block in _NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _split(text: str) -> tuple[str, int | None]:
    bracketed = re.fullmatch(r"(\[[^]]*\])(?::(\d+))?", text)
    if bracketed:
        return bracketed[1][1:-1], _port(bracketed[2], text)
    host, colon, port = text.partition(":")
    if not colon or ":" in port:  # a bare IPv6 address has several
        return text, None
    return host, _port(port, text)


def _port(digits: str | None, text: str) -> int | None:
    if digits is None:
        return None
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits) <= _MOST_PORT):
        raise ValueError(f"{text!r} names no port: it is a number from 1 to {_MOST_PORT}.")
    return int(digits)


def _block(host: str) -> Block | None:
    try:
        return ipaddress.ip_network(host)
    except ValueError as error:
        if "/" in host:
            raise ValueError(f"{host!r} is no block of addresses ({error}).") from error
        return None
