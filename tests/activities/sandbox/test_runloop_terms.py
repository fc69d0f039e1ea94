"""What Runloop sells and lets through, against what a spec asks for."""

import pytest

from activities.sandbox.runloop_terms import egress_of, size_of
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import PolicyUnsupported


@pytest.mark.parametrize(
    ("limits", "cpus", "memory", "disk"),
    [
        (SandboxLimits(), 0.5, 2, 6),
        (SandboxLimits(memory_mb=256, disk_mb=64), 0.5, 1, 6),
        (SandboxLimits(memory_mb=9_000, disk_mb=20_480), 4, 10, 24),
        (SandboxLimits(memory_mb=2_048, cpus=4), 4, 8, 6),
        (SandboxLimits(memory_mb=65_536, cpus=16), 16, 64, 6),
    ],
)
def test_the_smallest_devbox_that_holds_the_limits(limits: SandboxLimits, cpus: float, memory: int, disk: int) -> None:
    assert size_of(limits, exactly=False) == {
        "resource_size_request": "CUSTOM_SIZE",
        "custom_cpu_cores": cpus,
        "custom_gb_memory": memory,
        "custom_disk_size": disk,
    }


@pytest.mark.parametrize(
    "limits",
    [
        SandboxLimits(cpus=3),
        SandboxLimits(cpus=32),
        SandboxLimits(cpus=1, memory_mb=10_000),
        SandboxLimits(memory_mb=70_000),
        SandboxLimits(disk_mb=62_000),
    ],
)
def test_sizes_that_are_not_sold_are_refused(limits: SandboxLimits) -> None:
    with pytest.raises(PolicyUnsupported):
        size_of(limits, exactly=False)


def test_memory_that_more_cpus_bring_is_no_hard_limit() -> None:
    limits = SandboxLimits(memory_mb=2_048, cpus=4)
    with pytest.raises(PolicyUnsupported, match="here 8 GiB"):
        size_of(limits, exactly=True)


@pytest.mark.parametrize(
    ("allowlist", "hostnames", "cidrs"),
    [
        ((), (), ()),
        (("pypi.org", "pypi.org:443"), ("pypi.org",), ()),
        (("*.Example.org:8443",), ("*.example.org",), ()),
        (("192.0.2.7", "10.0.0.0/8:5432"), (), (("10.0.0.0/8", (5432,)), ("192.0.2.7/32", (80, 443)))),
    ],
)
def test_an_allowlist_in_runloops_words(
    allowlist: tuple[str, ...], hostnames: tuple[str, ...], cidrs: tuple[tuple[str, tuple[int, ...]], ...]
) -> None:
    egress = egress_of(allowlist, every_port=True)
    assert (egress.hostnames, egress.cidrs) == (hostnames, cidrs)


@pytest.mark.parametrize(
    ("rule", "every_port", "why"),
    [
        ("pypi.org", False, "80 and 443"),
        ("*.example.org:8443", False, "on 8443 only"),
        ("[2001:db8::1]:443", True, "IPv6"),
        ("2001:db8::/32", False, "IPv6"),
    ],
)
def test_what_a_network_policy_cannot_say_is_refused(rule: str, every_port: bool, why: str) -> None:
    with pytest.raises(PolicyUnsupported, match=why):
        egress_of((rule,), every_port=every_port)
