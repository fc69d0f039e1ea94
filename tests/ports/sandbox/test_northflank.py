"""Northflank's adapter: its real client against a double of the service, whose services are boxes of this machine."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from activities.sandbox.northflank_vendor import NorthflankVendor
from tests.fakes import northflank
from tests.fakes.northflank import FakeNorthflank
from tests.fakes.service import Fault, no_kept_connections
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import (
    BadSpec,
    Capacity,
    Denied,
    Gone,
    Network,
    PolicyUnsupported,
    SandboxError,
    SandboxSpec,
    Transient,
)

pytestmark = pytest.mark.sandbox
SPEC = SandboxSpec(key="one", limits=SandboxLimits(memory_mb=512))


@pytest.fixture
async def service(tmp_path: Path) -> AsyncGenerator[FakeNorthflank]:
    async with northflank.running(tmp_path / "northflank") as service:
        yield service


@pytest.fixture
def vendor(service: FakeNorthflank) -> NorthflankVendor:
    return made_for(service)


def made_for(
    service: FakeNorthflank,
    installation: str = "test",
    *,
    token: str = northflank.TOKEN,
    policy: str = northflank.POLICY,
    tags: tuple[str, ...] = (),
) -> NorthflankVendor:
    return NorthflankVendor(
        token,
        installation,
        project=northflank.PROJECT,
        policy=policy,
        image=northflank.IMAGE,
        tags=tags,
        base_url=service.url,
        http=no_kept_connections(),
    )


async def test_one_key_is_one_service_and_after_its_removal_another_instance(
    service: FakeNorthflank, vendor: NorthflankVendor
) -> None:
    first = await vendor.make(SPEC)
    assert await made_for(service).make(SPEC) == first
    await vendor.remove("one")
    await vendor.remove("one")
    assert not service.services
    assert await vendor.make(SPEC) != first


async def test_of_many_makers_at_once_all_get_the_same(service: FakeNorthflank) -> None:
    made = await asyncio.gather(*(made_for(service).make(SPEC) for _ in range(4)))
    assert service.http.seen.count(f"POST /v1/projects/{northflank.PROJECT}/services/deployment") > 1  # they did race
    assert len(service.services) == len(set(made)) == 1


async def test_a_service_whose_making_was_never_answered_is_found(
    service: FakeNorthflank, vendor: NorthflankVendor
) -> None:
    service.http.add(Fault("POST /v1/projects", after=True))  # the client itself asks again, and finds the name taken
    await vendor.make(SPEC)
    assert len(service.services) == 1


async def test_installations_in_one_project_do_not_see_each_other(
    service: FakeNorthflank, vendor: NorthflankVendor
) -> None:
    other = made_for(service, "other")
    ours, theirs = await vendor.make(SPEC), await other.make(SPEC)
    assert ours != theirs
    assert [info.ref.instance for info in await other.list({})] == [theirs]
    await vendor.remove("one")
    assert [info.ref.instance for info in await other.list({})] == [theirs]


async def test_labels_are_found_and_lists_have_many_pages(service: FakeNorthflank, vendor: NorthflankVendor) -> None:
    keys = [f"k{number}" for number in range(northflank.PAGE + 2)]
    for key in keys:
        await vendor.make(SPEC.model_copy(update={"key": key, "labels": {"owner": "x"}}))
    await vendor.make(SPEC.model_copy(update={"key": "y", "labels": {"owner": "y", "ticket": "1"}}))
    assert {info.ref.key for info in await vendor.list({"owner": "x"})} == {*keys}
    assert [info.labels for info in await vendor.list({"owner": "y"})] == [{"owner": "y", "ticket": "1"}]
    assert len(await vendor.list({})) == len(keys) + 1


async def test_commands_have_exact_words_and_codes(vendor: NorthflankVendor) -> None:
    instance = await vendor.make(SPEC)
    odd = ("it's", 'a "b"', "$HOME `id` \\", "", "line\nbreak")
    said = await vendor.run(instance, ("printf", "%s|", *odd), 30)
    assert (said.code, said.out) == (0, "".join(f"{word}|" for word in odd))
    said = await vendor.run(instance, ("sh", "-c", "echo err >&2; exit 7"), 30)
    assert (said.code, said.out, said.err) == (7, "", "err\n")
    assert (await vendor.run(instance, ("seq", "300000"), 30)).out.count("\n") == 300_000
    with pytest.raises(Transient, match="did not end within"):
        await vendor.run(instance, ("sleep", "2"), 0.5)


async def test_files_go_in_and_out_as_they_are(vendor: NorthflankVendor) -> None:
    instance = await vendor.make(SPEC)
    for data in (bytes(range(256)) * 5_000, b""):
        await vendor.put(instance, "/tmp/a file", data)
        assert await vendor.get(instance, "/tmp/a file", 2_000_000) == data
    await vendor.put(instance, "/tmp/b", b"x" * 101)
    with pytest.raises(BadSpec, match="more than 100 bytes"):
        await vendor.get(instance, "/tmp/b", 100)
    with pytest.raises(FileNotFoundError):
        await vendor.get(instance, "/tmp/absent", 100)


async def test_what_has_ended_is_gone_for_every_use(service: FakeNorthflank, vendor: NorthflankVendor) -> None:
    instance = await vendor.make(SPEC)
    await vendor.remove("one")
    await vendor.make(SPEC)  # a service of the same name, with another container
    for name in (instance, "pawl-never/pod"):
        for use in (
            vendor.run(name, ("true",), 5),
            vendor.put(name, "/tmp/a", b"x"),
            vendor.get(name, "/tmp/a", 9),
            vendor.snapshot(name),
        ):
            with pytest.raises(Gone):
                await use
    assert len(service.services) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(429, Capacity), (503, Transient), (500, Transient), (401, Denied), (403, Denied)]
)
async def test_what_errors_mean(
    service: FakeNorthflank, vendor: NorthflankVendor, status: int, error: type[SandboxError]
) -> None:
    for where, use in (
        ("GET /v1/projects", vendor.list({})),
        ("GET /v1/network-policies", vendor.make(SPEC)),
        ("GET /v1/plans", vendor.make(SPEC)),
        ("POST /v1/projects", vendor.make(SPEC)),
    ):
        service.http.add(Fault(where, status))
        with pytest.raises(error):
            await use
    assert not service.services


async def test_a_broken_websocket_is_transient(service: FakeNorthflank, vendor: NorthflankVendor) -> None:
    instance = await vendor.make(SPEC)
    for status in (503, 0):  # refused, and closed in the middle
        for use in (
            vendor.run(instance, ("true",), 5),
            vendor.put(instance, "/tmp/a", b"x"),
            vendor.get(instance, "/tmp/a", 9),
        ):
            service.http.add(Fault("WEBSOCKET", status))
            with pytest.raises(Transient):
                await use


async def test_no_service_is_transient_and_a_bad_token_is_denied(service: FakeNorthflank) -> None:
    with pytest.raises(Denied):
        await made_for(service, token="wrong").make(SPEC)
    nowhere = NorthflankVendor(
        "t", "test", project="p", policy="c", image="i", base_url="http://127.0.0.1:9", http=no_kept_connections()
    )
    with pytest.raises(Transient):
        await nowhere.list({})
    with pytest.raises(Transient):
        await nowhere.run("a/b", ("true",), 5)


async def test_a_snapshot_is_the_next_image_and_later_changes_are_not_in_it(vendor: NorthflankVendor) -> None:
    instance = await vendor.make(SPEC)
    await vendor.put(instance, "/work/a", b"kept")
    kept = await vendor.snapshot(instance)
    await vendor.put(instance, "/work/a", b"later")
    second = await vendor.make(SPEC.model_copy(update={"key": "two", "snapshot": kept}))
    assert await vendor.get(second, "/work/a", 100) == b"kept"


async def test_a_snapshot_in_use_is_not_removed(service: FakeNorthflank, vendor: NorthflankVendor) -> None:
    kept = await vendor.snapshot(await vendor.make(SPEC))
    await vendor.make(SPEC.model_copy(update={"key": "two", "snapshot": kept}))
    with pytest.raises(SandboxError):
        await vendor.forget(kept)
    await vendor.remove("two")
    await vendor.forget(kept)
    assert not service.snapshots


async def test_images_come_from_a_registry(service: FakeNorthflank, vendor: NorthflankVendor) -> None:
    await made_for(service, tags=("kata",)).make(SPEC.model_copy(update={"image": "debian:13"}))
    (there,) = service.services.values()
    assert there.asked.deployment.external.imagePath == "debian:13"
    assert there.asked.tags == ["kata"]
    service.missing.add("no-such:1")
    with pytest.raises(BadSpec, match="could not start"):
        await vendor.make(SPEC.model_copy(update={"key": "b", "image": "no-such:1"}))


async def test_one_past_its_lifetime_ends_and_is_no_sandbox_any_more(
    service: FakeNorthflank, vendor: NorthflankVendor
) -> None:
    short = SPEC.model_copy(update={"lifetime_seconds": 1})
    first = await vendor.make(short)
    await asyncio.sleep(1.1)
    assert await vendor.make(short) != first
    await asyncio.sleep(1.1)
    assert await vendor.list({}) == []
    assert not service.services


async def test_the_cheapest_plan_that_holds_the_memory(service: FakeNorthflank, vendor: NorthflankVendor) -> None:
    for memory, plan in ((512, "nf-compute-50"), (2_048, "nf-200"), (8_192, "nf-compute-400")):
        limits = SandboxLimits(memory_mb=memory, disk_mb=3_000)
        await vendor.make(SandboxSpec(key=f"k{memory}", limits=limits))
        asked = [*service.services.values()][-1].asked
        assert asked.billing == {"deploymentPlan": plan}
        assert asked.deployment.storage == {"ephemeralStorage": {"storageSize": 3_000}}
    with pytest.raises(PolicyUnsupported, match="9000 MB"):
        await vendor.make(SandboxSpec(key="large", limits=SandboxLimits(memory_mb=9_000)))


@pytest.mark.parametrize("rule", ["pypi.org", "10.0.0.0/8:5432", "192.0.2.7", "2001:db8::/32"])
async def test_no_allowlist_is_taken(service: FakeNorthflank, vendor: NorthflankVendor, rule: str) -> None:
    assert vendor.capabilities.network is Network.NONE
    with pytest.raises(PolicyUnsupported):
        await vendor.make(SPEC.model_copy(update={"egress": (rule,)}))
    assert not service.services


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("egress", {}),
        ("egress", {"denyAll": True, "allowTo": ["pypi.org"]}),
        ("egress", {"denyAll": True, "allowToProjects": ["other"]}),
        ("egress", {"denyAll": True, "allowToTags": ["other"]}),
        ("restrictions", {"projects": {"enabled": True, "items": ["other"], "restrictionMode": "in"}}),
        ("restrictions", {"projects": {"enabled": True, "items": ["sandboxes"], "restrictionMode": "notIn"}}),
        ("restrictions", {"tags": {"enabled": True, "items": ["some"], "matchCondition": "or"}}),
    ],
)
async def test_a_policy_that_leaves_something_open_is_not_enough(
    service: FakeNorthflank, vendor: NorthflankVendor, part: str, value: dict[str, Any]
) -> None:
    service.policy[part] = value
    with pytest.raises(PolicyUnsupported, match="does not deny all egress"):
        await vendor.make(SPEC)
    assert not service.services


async def test_without_a_policy_there_is_no_sandbox(service: FakeNorthflank) -> None:
    with pytest.raises(PolicyUnsupported, match="no network policy none-such"):
        await made_for(service, policy="none-such").make(SPEC)
    assert not service.services


async def test_a_cluster_that_does_not_enforce_the_policy_is_found_out(
    service: FakeNorthflank, vendor: NorthflankVendor
) -> None:
    service.leaky = True
    with pytest.raises(PolicyUnsupported, match=r"could reach 1\.1\.1\.1 443"):
        await vendor.make(SPEC)
    assert not service.services
