"""What is E2B's own: its network, its clock, and keys whose answers are repeated."""

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from activities.sandbox.e2b_vendor import E2BVendor
from tests.fakes import e2b
from tests.fakes.e2b import FakeE2B
from tests.fakes.service import Fault
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import BadSpec, Gone, PolicyUnsupported, SandboxSpec, Transient

pytestmark = pytest.mark.sandbox
SPEC = SandboxSpec(key="one")


@pytest.fixture
async def double(tmp_path: Path) -> AsyncGenerator[FakeE2B]:
    async with e2b.running(tmp_path) as double:
        yield double


@pytest.fixture
def vendor(double: FakeE2B) -> E2BVendor:
    return E2BVendor(e2b.KEY, api_url=double.url, sandbox_url=double.url)


async def test_closed_is_closed_in_both_directions(double: FakeE2B, vendor: E2BVendor) -> None:
    asked = double.sandboxes[await vendor.make(SPEC)].asked
    assert asked["allow_internet_access"] is False
    assert asked["network"] == {
        "allowOut": [],
        "denyOut": ["0.0.0.0/0"],
        "dnsServers": [],
        "allowPublicTraffic": False,
    }


async def test_allowed_names_are_allowed_without_a_name_server(double: FakeE2B, vendor: E2BVendor) -> None:
    spec = SandboxSpec(key="one", egress=("PyPI.org", "files.pythonhosted.org"))
    instance = await vendor.make(spec)
    asked = double.sandboxes[instance].asked
    assert asked["network"] == {
        "allowOut": ["pypi.org", "files.pythonhosted.org"],
        "denyOut": ["0.0.0.0/0"],
        "dnsServers": [],
        "allowPublicTraffic": False,
    }
    await vendor.make(spec)
    hosts = (await vendor.run(instance, ("cat", "/etc/hosts"), 20)).out.splitlines()
    assert hosts[-2:] == ["192.0.2.1 pypi.org", "192.0.2.1 files.pythonhosted.org"]
    assert len(hosts) == len(set(hosts))


async def test_names_below_a_name_need_a_name_server_and_are_refused(vendor: E2BVendor) -> None:
    with pytest.raises(PolicyUnsupported, match="write each host"):
        await vendor.make(SandboxSpec(key="one", egress=("*.pythonhosted.org",)))


async def test_the_same_request_of_another_maker_is_waited_for(double: FakeE2B, vendor: E2BVendor) -> None:
    double.pending = 0.3
    other = E2BVendor(e2b.KEY, api_url=double.url, sandbox_url=double.url)
    first, second = await asyncio.gather(vendor.make(SPEC), other.make(SPEC))
    assert first == second
    assert len(double.sandboxes) == 1


async def test_of_two_different_requests_the_older_sandbox_wins(double: FakeE2B, vendor: E2BVendor) -> None:
    double.pending = 0.2  # both have looked and found none
    first, second = await asyncio.gather(vendor.make(SPEC), vendor.make(SPEC.model_copy(update={"idle_seconds": 61})))
    assert first == second
    assert list(double.sandboxes) == [first]


async def test_time_is_renewed_by_use_and_only_now_and_then(double: FakeE2B, vendor: E2BVendor) -> None:
    spec = SandboxSpec(key="one", idle_seconds=1, limits=SandboxLimits(seconds=1))
    instance = await vendor.make(spec)
    sandbox = double.sandboxes[instance]
    assert sandbox.ends - sandbox.started == pytest.approx(2)
    sandbox.ends = time.time() + 1
    await vendor.run(instance, ("true",), 20)
    assert sandbox.ends - time.time() > 1.5
    await vendor.run(instance, ("true",), 20)
    renewal = f"POST /sandboxes/{instance}/timeout"
    assert renewal not in double.http.seen
    await asyncio.sleep(0.6)
    await vendor.run(instance, ("true",), 20)
    assert double.http.seen.count(renewal) == 1
    assert sandbox.ends - time.time() > 0.5


async def test_no_use_renews_a_lifetime(double: FakeE2B, vendor: E2BVendor) -> None:
    instance = await vendor.make(SandboxSpec(key="one", lifetime_seconds=600, idle_seconds=60))
    sandbox = double.sandboxes[instance]
    sandbox.started, sandbox.ends = time.time() - 590, time.time() + 5
    await vendor.run(instance, ("true",), 20)
    assert 5 < sandbox.ends - time.time() <= 10
    sandbox.started = time.time() - 601
    with pytest.raises(Gone, match="lifetime"):
        await E2BVendor(e2b.KEY, api_url=double.url, sandbox_url=double.url).run(instance, ("true",), 20)
    assert not double.sandboxes


async def test_a_lifetime_the_account_does_not_allow_is_said(vendor: E2BVendor) -> None:
    with pytest.raises(BadSpec, match="24 hours"):
        await vendor.make(SandboxSpec(key="one", lifetime_seconds=100_000, idle_seconds=100_000))


async def test_a_connection_that_breaks_under_a_command_is_no_verdict(double: FakeE2B, vendor: E2BVendor) -> None:
    instance = await vendor.make(SPEC)
    double.http.add(Fault("/process"))
    double.http.add(Fault("/health"))  # the SDK asks it what has become of the sandbox
    with pytest.raises(Transient):
        await vendor.run(instance, ("true",), 20)
    double.http.add(Fault("/process"))
    double.sandboxes[instance].ends = time.time() + 3_600
    with pytest.raises(Transient):
        await vendor.run(instance, ("true",), 20)
    assert (await vendor.run(instance, ("true",), 20)).code == 0
