"""What is Daytona's own: its network, its minutes, and sandboxes that are on their way in or out."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from activities.sandbox.daytona_calls import DaytonaCalls
from activities.sandbox.daytona_vendor import DaytonaVendor
from tests.fakes import daytona
from tests.fakes.daytona import FakeDaytona
from tests.fakes.service import Fault
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import Gone, PolicyUnsupported, SandboxSpec, Transient

pytestmark = pytest.mark.sandbox
SPEC = SandboxSpec(key="one")


@pytest.fixture
async def double(tmp_path: Path) -> AsyncGenerator[FakeDaytona]:
    async with daytona.running(tmp_path) as double:
        yield double


@pytest.fixture
async def calls(double: FakeDaytona) -> AsyncGenerator[DaytonaCalls]:
    async with httpx.AsyncClient() as http:
        yield DaytonaCalls(http, daytona.KEY, f"{double.url}/api")


@pytest.fixture
def vendor(calls: DaytonaCalls) -> DaytonaVendor:
    return DaytonaVendor(calls)


@pytest.mark.parametrize(
    ("egress", "told"),
    [
        ((), {"networkBlockAll": True}),
        (("PyPI.org",), {"networkBlockAll": False, "domainAllowList": "pypi.org"}),
        (("pypi.org", "*.pkg.dev"), {"networkBlockAll": False, "domainAllowList": "pypi.org,*.pkg.dev"}),
    ],
)
async def test_the_network_is_what_the_allowlist_says(
    double: FakeDaytona, vendor: DaytonaVendor, egress: tuple[str, ...], told: dict[str, object]
) -> None:
    asked = double.sandboxes[await vendor.make(SandboxSpec(key="one", egress=egress))].asked
    assert {name: value for name, value in asked.items() if "etwork" in name or "omain" in name} == told
    assert asked["public"] is False


async def test_an_account_whose_sandboxes_leak_is_refused(double: FakeDaytona, vendor: DaytonaVendor) -> None:
    double.leaks = "github.com"
    with pytest.raises(PolicyUnsupported, match=r"github\.com .*tier 3"):
        await vendor.make(SandboxSpec(key="one", egress=("pypi.org",)))
    assert not double.sandboxes
    assert await vendor.make(SandboxSpec(key="one", egress=("pypi.org", "github.com")))
    double.leaks = "pypi.org"
    with pytest.raises(PolicyUnsupported, match=r"pypi\.org"):
        await DaytonaVendor(vendor.calls).make(SandboxSpec(key="two"))


async def test_time_is_told_in_minutes_and_what_stops_is_removed(double: FakeDaytona, vendor: DaytonaVendor) -> None:
    spec = SandboxSpec(key="one", lifetime_seconds=3_601, idle_seconds=60, limits=SandboxLimits(seconds=90))
    asked = double.sandboxes[await vendor.make(spec)].asked
    minutes = ("ttlMinutes", "autoStopInterval", "autoPauseInterval", "autoDeleteInterval")
    assert [asked[name] for name in minutes] == [61, 3, 0, 0]


async def test_images_and_regions(double: FakeDaytona, calls: DaytonaCalls) -> None:
    chosen = DaytonaVendor(calls, image=daytona.SNAPSHOT, target="eu")
    asked = double.sandboxes[await chosen.make(SPEC)].asked
    assert (asked["snapshot"], asked["target"], asked["user"]) == (daytona.SNAPSHOT, "eu", "root")


async def test_a_sandbox_that_is_being_removed_is_waited_out(double: FakeDaytona, vendor: DaytonaVendor) -> None:
    first = await vendor.make(SPEC)
    removal = asyncio.create_task(vendor.remove(SPEC.key))
    while not double.sandboxes[first].going:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    assert await DaytonaVendor(vendor.calls).list({}) == []
    second = await DaytonaVendor(vendor.calls).make(SPEC)
    await removal
    assert list(double.sandboxes) == [second]
    assert second != first


async def test_a_sandbox_that_does_not_start_is_removed_and_said(double: FakeDaytona, vendor: DaytonaVendor) -> None:
    double.broken = "no runner has room"
    with pytest.raises(Transient, match="no runner has room"):
        await vendor.make(SPEC)
    double.broken = ""
    assert await vendor.make(SPEC)


async def test_a_proxys_word_is_checked_with_the_service(double: FakeDaytona, vendor: DaytonaVendor) -> None:
    instance = await vendor.make(SPEC)
    double.http.add(Fault("/process", 404))
    with pytest.raises(Transient):
        await vendor.run(instance, ("true",), 20)
    double.sandboxes[instance].state = "error"
    with pytest.raises(Gone):
        await vendor.run(instance, ("true",), 20)


async def test_an_answer_that_was_cut_off_is_none(double: FakeDaytona, vendor: DaytonaVendor) -> None:
    instance = await vendor.make(SPEC)
    double.most_output = 1_000
    with pytest.raises(Transient, match="cut off"):
        await vendor.run(instance, ("head", "-c", "2000", "/dev/zero"), 20)
