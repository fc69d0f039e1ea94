"""What a sandbox may reach: rules as people write them, and the addresses that hide behind names."""

import ipaddress

import pytest

from workflows.domain import egress

RULES = tuple(map(egress.parse, ["pypi.org", "*.example.org:8443", "10.1.2.3:5432", "[fd00::7]:443", "192.168.7.0/24"]))


def elsewhere(_: egress.Address) -> bool:
    return False


@pytest.mark.parametrize(
    ("host", "port", "rule"),
    [
        ("pypi.org", 443, "pypi.org"),
        ("PyPI.org.", 80, "pypi.org"),  # names have no case, and may end with the root's dot
        ("pypi.org", 8443, None),
        ("files.pypi.org", 443, None),
        ("pypi.org.evil.net", 443, None),
        ("evilpypi.org", 443, None),
        ("a.example.org", 8443, "*.example.org:8443"),
        ("a.b.example.org", 8443, "*.example.org:8443"),
        ("example.org", 8443, None),
        ("a.example.org", 443, None),
        ("aexample.org", 8443, None),
        ("10.1.2.3", 5432, "10.1.2.3:5432"),
        ("10.1.2.3", 80, None),
        ("10.1.2.4", 5432, None),
        ("[fd00::7]", 443, "[fd00::7]:443"),
        ("fd00:0::7", 443, "[fd00::7]:443"),
        ("192.168.7.200", 80, "192.168.7.0/24"),
        ("192.168.8.1", 80, None),
        ("8.8.8.8", 443, None),  # public, and nobody named it
        ("167837955", 5432, None),  # 10.1.2.3 as other programs would read it
        ("0xa.1.2.3", 5432, None),
        ("10.1.515", 5432, None),
        ("pypi.org\r\nHost: evil.net", 443, None),
        ("evil.net\0.example.org", 8443, None),  # which a resolver reads up to the NUL
        ("::ffff:8.8.8.8%.example.org", 8443, None),
        (".example.org", 8443, None),
        ("fd00::7%lo", 443, None),
        ("", 443, None),
    ],
)
def test_a_request_needs_a_rule(host: str, port: int, rule: str | None) -> None:
    found = egress.covering(RULES, host, port)
    assert (found.text if found else None) == rule


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",  # noqa: S104  # an address to refuse, not one to bind
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",  # carriers' own
        "100.100.100.200",  # a cloud's metadata
        "169.254.169.254",  # the clouds' metadata
        "192.0.0.192",  # another one's
        "168.63.129.16",  # and another one's, on a public address
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "fd00:ec2::254",  # a cloud's metadata
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
    ],
)
def test_what_is_no_public_address_is_not_dialled(address: str) -> None:
    assert not egress.may_dial(RULES, ipaddress.ip_address(address), 443, elsewhere)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f:cb07::1", "::ffff:93.184.215.14", "64:ff9b::808:808"]
)
def test_public_addresses_are_dialled(address: str) -> None:
    assert egress.may_dial((), ipaddress.ip_address(address), 443, elsewhere)


def test_a_public_address_of_this_machine_is_dialled_only_where_a_rule_spells_it_out() -> None:
    own = ipaddress.ip_address("93.184.215.14")
    assert not egress.may_dial(RULES, own, 443, own.__eq__)
    assert egress.may_dial([egress.parse("93.184.215.14")], own, 443, own.__eq__)


@pytest.mark.parametrize(
    ("address", "port", "may"),
    [
        ("10.1.2.3", 5432, True),
        ("10.1.2.3", 443, False),  # named, with another port
        ("192.168.7.9", 443, True),
        ("fd00::7", 443, True),
        ("fd00::8", 443, False),
    ],
)
def test_a_private_address_is_dialled_where_a_rule_spells_it_out(address: str, port: int, *, may: bool) -> None:
    assert egress.may_dial(RULES, ipaddress.ip_address(address), port, elsewhere) is may


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no host"),
        ("*", "names no host"),
        ("*.org", "everything below 'org'"),
        ("a.*.org", "names no host"),
        ("https://pypi.org", "is a URL: write its host alone"),
        ("pypi.org/simple", "no block of addresses"),
        ("pypi.org:0", "names no port"),
        ("pypi.org:65536", "names no port"),
        ("pypi.org:https", "names no port"),
        ("[fd00::7]:x", "names no host"),
        ("10.0.0.1/8", "no block of addresses"),  # has bits below its mask: a slip
        ("10.1.515", "names no host"),
        ("-a.org", "names no host"),
        ("a..org", "names no host"),
        ("a" * 64 + ".org", "names no host"),
        (".".join(["abc"] * 80), "names no host"),
        ("büro.de", "names no host"),  # its xn-- form is the name
    ],
)
def test_what_is_no_rule_is_said_in_words(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("*", r"\*")):
        egress.parse(text)


def test_rules_hold_what_was_written() -> None:
    assert [rule.text for rule in RULES][1] == "*.example.org:8443"
    assert egress.parse("PyPI.org.").name == "pypi.org"
    assert egress.parse(" pypi.org ").ports == egress.STANDARD_PORTS
    assert egress.parse("fd00::/8").block == ipaddress.ip_network("fd00::/8")
