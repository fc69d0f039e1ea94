"""What the adapter asks of Modal and what it makes of the answers, with the real client on our double."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import modal
import pytest
from modal_proto import api_pb2

from activities.sandbox.modal_vendor import ModalVendor
from tests.fakes.modal.faults import Fault
from tests.fakes.modal.server import Double
from tests.ports.sandbox.providers import until
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import BadSpec, Denied, Gone, PolicyUnsupported, SandboxError, SandboxSpec, Transient

pytestmark = pytest.mark.sandbox

NetworkAccess = api_pb2.NetworkAccess


def definition(double: Double, instance: str) -> api_pb2.Sandbox:
    return double.sandboxes.by_id(instance).definition


async def test_a_spec_arrives_whole(double: Double, vendor: ModalVendor) -> None:
    limits = SandboxLimits(memory_mb=1024, cpus=2, seconds=60)
    labels = {"ticket": "ENG-12", "session": "s1"}
    spec = SandboxSpec(key="k" * 120, limits=limits, labels=labels, lifetime_seconds=600, idle_seconds=90)
    instance = await vendor.make(spec)
    asked = definition(double, instance)
    assert (asked.timeout_secs, asked.idle_timeout_secs) == (600, 90)
    assert (asked.resources.milli_cpu, asked.resources.milli_cpu_max) == (125, 2000)
    assert (asked.resources.memory_mb, asked.resources.memory_mb_max) == (512, 1024)
    assert asked.network_access.network_access_type == NetworkAccess.BLOCKED
    tags = double.sandboxes.by_id(instance).tags
    assert {name: tags[name] for name in ("ticket", "session", "pawl.installation")} == labels | {
        "pawl.installation": "here"
    }
    assert tags["pawl.key"] + tags["pawl.key.2"] == "k" * 120


async def test_a_job_that_nobody_watches_is_not_taken_for_idleness(double: Double, vendor: ModalVendor) -> None:
    spec = SandboxSpec(key="a", limits=SandboxLimits(seconds=7_200), idle_seconds=60)
    assert definition(double, await vendor.make(spec)).idle_timeout_secs == 7_200


async def test_an_allowlist_arrives_as_one(double: Double, client: modal.Client, vendor: ModalVendor) -> None:
    asked = definition(double, await vendor.make(SandboxSpec(key="a", egress=("pypi.org:443",)))).network_access
    assert (asked.network_access_type, asked.allowed_domains, asked.allowed_cidrs) == (
        NetworkAccess.ALLOWLIST,
        ["pypi.org"],
        [],
    )
    generous = ModalVendor("here", every_port=True, client=client)
    instance = await generous.make(SandboxSpec(key="b", egress=("203.0.113.7:443",)))
    asked = definition(double, instance).network_access
    assert (asked.network_access_type, asked.allowed_domains, asked.allowed_cidrs) == (
        NetworkAccess.ALLOWLIST,
        [],
        ["203.0.113.7/32"],
    )


async def test_an_allowlist_that_modal_would_widen_makes_nothing(double: Double, vendor: ModalVendor) -> None:
    with pytest.raises(PolicyUnsupported):
        await vendor.make(SandboxSpec(key="a", egress=("pypi.org:80",)))
    assert not double.sandboxes.living()


async def test_one_key_is_one_sandbox_until_it_is_removed(vendor: ModalVendor, client: modal.Client) -> None:
    other = ModalVendor("here", client=client)
    made = await asyncio.gather(*(maker.make(SandboxSpec(key="a")) for maker in (vendor, other) for _ in range(3)))
    assert len(set(made)) == 1
    stranger = ModalVendor("there", client=client)
    assert await stranger.make(SandboxSpec(key="a")) != made[0]
    await vendor.remove("a")
    await other.remove("a")
    assert await vendor.make(SandboxSpec(key="a")) != made[0]
    assert len(await stranger.list({})) == 1


async def test_images_by_name_and_by_snapshot(double: Double, vendor: ModalVendor) -> None:
    first = await vendor.make(SandboxSpec(key="a", image="python:3.12-slim"))
    await vendor.put(first, "/opt/pawl/kept", b"warm")
    reference = await vendor.snapshot(first)
    await vendor.put(first, "/opt/pawl/kept", b"changed since")
    warm = await vendor.make(SandboxSpec(key="b", snapshot=reference))
    assert await vendor.get(warm, "/opt/pawl/kept", 100) == b"warm"
    assert definition(double, warm).image_id == reference
    double.sandboxes.add_image(reference, ttl_seconds=-1)
    with pytest.raises(Gone, match=f"Image {reference} not found"):
        await vendor.make(SandboxSpec(key="c", snapshot=reference))


async def test_the_installation_may_name_the_usual_image(double: Double, client: modal.Client) -> None:
    usual = ModalVendor("here", image="python:3.12-slim", client=client)
    plain = ModalVendor("here", client=client)
    images = [
        definition(double, await vendor.make(SandboxSpec(key=key, image=image))).image_id
        for vendor, key, image in ((usual, "a", ""), (plain, "b", "python:3.12-slim"), (plain, "c", ""))
    ]
    assert images[0] == images[1] != images[2]


async def test_commands_and_files_are_exact(vendor: ModalVendor) -> None:
    instance = await vendor.make(SandboxSpec(key="a"))
    said = await vendor.run(instance, ("sh", "-c", 'echo "$1"; echo err >&2; exit 7', "sh", "a 'b' $c"), 10)
    assert (said.code, said.out, said.err) == (7, "a 'b' $c\n", "err\n")
    assert (await vendor.run(instance, ("sh", "-c", "kill -9 $$"), 10)).code == 137
    data = bytes(range(256)) * 13_000
    await vendor.put(instance, "/opt/pawl/odd 'name'", data)
    assert await vendor.get(instance, "/opt/pawl/odd 'name'", len(data)) == data
    await vendor.put(instance, "/opt/pawl/empty", b"")
    assert await vendor.get(instance, "/opt/pawl/empty", 0) == b""
    with pytest.raises(FileNotFoundError):
        await vendor.get(instance, "/opt/pawl/absent", 10)
    with pytest.raises(BadSpec, match="larger than 10 bytes"):
        await vendor.get(instance, "/opt/pawl/odd 'name'", 10)
    with pytest.raises(Transient, match="could not write /absent/file"):
        await vendor.put(instance, "/absent/file", b"")


async def test_a_command_over_its_time_is_no_exit_code(double: Double, vendor: ModalVendor) -> None:
    instance = await vendor.make(SandboxSpec(key="a"))
    double.faults.arm(Fault("TaskExecStart", after=True, late_seconds=0.5))
    with pytest.raises(Transient, match="did not answer within 1 s: sleep"):
        await vendor.run(instance, ("sleep", "30"), 0.5)  # Modal's clock runs out first, and it kills the command
    assert (await vendor.run(instance, ("true",), 10)).code == 0


async def test_list_knows_labels_age_and_cost(vendor: ModalVendor) -> None:
    for n in range(5):
        await vendor.make(SandboxSpec(key=f"k{n}", labels={"ticket": f"linear:ENG {n % 2}", "owner": "x"}))
    found = await vendor.list({"ticket": "linear:ENG 0", "owner": "x"})
    assert sorted(info.ref.key for info in found) == ["k0", "k2", "k4"]
    for info in found:
        assert info.labels == {"ticket": "linear:ENG 0", "owner": "x"}
        assert timedelta() < datetime.now(UTC) - info.created < timedelta(minutes=1)
        assert 0 < float(info.usd or 0) < 0.01
    assert len(await vendor.list({})) == 5
    assert not await vendor.list({"owner": "y"})


@pytest.mark.parametrize("ended_by", ["lifetime_seconds", "idle_seconds"])
async def test_time_and_idleness_end_a_sandbox(double: Double, vendor: ModalVendor, ended_by: str) -> None:
    times: dict[str, Any] = {ended_by: 1}
    instance = await vendor.make(SandboxSpec(key="a", limits=SandboxLimits(seconds=1), **times))
    await until(lambda: double.sandboxes.by_id(instance).result is not None)
    with pytest.raises(Gone):
        await vendor.run(instance, ("true",), 10)
    assert not await vendor.list({})
    assert await vendor.make(SandboxSpec(key="a")) != instance


async def test_every_use_of_an_ended_sandbox_says_gone(vendor: ModalVendor, client: modal.Client) -> None:
    instance = await vendor.make(SandboxSpec(key="a"))
    fresh = ModalVendor("here", client=client)
    await ModalVendor("here", client=client).remove("a")

    async def gone(use: Awaitable[object]) -> None:
        with pytest.raises(Gone):
            await use

    for known_to in (vendor, fresh):
        await gone(known_to.run(instance, ("true",), 10))
        await gone(known_to.put(instance, "/opt/pawl/x", b""))
        await gone(known_to.get(instance, "/opt/pawl/x", 1))
        await gone(known_to.snapshot(instance))
    await gone(fresh.run("sb-never", ("true",), 10))


async def test_wrong_credentials_are_named(double: Double) -> None:
    stranger = await modal.Client.from_credentials.aio("ak-wrong", "as-wrong")
    try:
        with pytest.raises(Denied, match="Check MODAL_TOKEN_ID and MODAL_TOKEN_SECRET") as error:
            await ModalVendor("here", client=stranger).make(SandboxSpec(key="a"))
        assert isinstance(error.value, SandboxError)
    finally:
        await stranger.close.aio()
