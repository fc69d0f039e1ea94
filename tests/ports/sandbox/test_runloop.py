"""Runloop's adapter: its real client against a double of the service, whose devboxes are boxes of this machine."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from activities.sandbox.runloop_vendor import RunloopVendor
from tests.fakes import runloop
from tests.fakes.runloop import FakeRunloop
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
SPEC = SandboxSpec(key="one")


@pytest.fixture
async def service(tmp_path: Path) -> AsyncGenerator[FakeRunloop]:
    async with runloop.running(tmp_path / "runloop") as service:
        yield service


@pytest.fixture
def vendor(service: FakeRunloop) -> RunloopVendor:
    return made_for(service)


def made_for(
    service: FakeRunloop,
    installation: str = "test",
    *,
    key: str = runloop.KEY,
    image: str = "",
    every_port: bool = False,
) -> RunloopVendor:
    return RunloopVendor(
        key,
        installation,
        image=image,
        every_port=every_port,
        base_url=service.url,
        http=no_kept_connections(),
    )


def living(service: FakeRunloop) -> list[str]:
    return [box.id for box in service.boxes.values() if box.status == "running"]


async def test_one_key_is_one_devbox_and_after_its_removal_another(service: FakeRunloop, vendor: RunloopVendor) -> None:
    first = await vendor.make(SPEC)
    assert await made_for(service).make(SPEC) == first
    assert living(service) == [first]
    await vendor.remove("one")
    await vendor.remove("one")
    assert not living(service)
    assert await vendor.make(SPEC) != first


async def test_of_many_makers_at_once_all_get_the_same(service: FakeRunloop) -> None:
    makers = [made_for(service) for _ in range(4)]
    made = await asyncio.gather(*(maker.make(SPEC) for maker in makers))
    assert len(service.boxes) > 1  # they did race
    assert living(service) == [made[0]]
    assert set(made) == {made[0]}


async def test_a_devbox_whose_making_was_never_answered_is_found(service: FakeRunloop, vendor: RunloopVendor) -> None:
    service.http.add(Fault("POST /v1/devboxes", after=True))
    with pytest.raises(Transient):
        await vendor.make(SPEC)
    assert await vendor.make(SPEC) in living(service)
    assert len(living(service)) == 1


async def test_installations_on_one_account_do_not_see_each_other(service: FakeRunloop, vendor: RunloopVendor) -> None:
    other = made_for(service, "other")
    ours, theirs = await vendor.make(SPEC), await other.make(SPEC)
    assert ours != theirs
    assert [info.ref.instance for info in await other.list({})] == [theirs]
    await vendor.remove("one")
    assert living(service) == [theirs]


async def test_labels_are_found_and_lists_have_many_pages(service: FakeRunloop, vendor: RunloopVendor) -> None:
    keys = [f"k{number}" for number in range(runloop.PAGE + 3)]
    labels = {"owner": "x"}
    await asyncio.gather(*(vendor.make(SandboxSpec(key=key, labels=labels)) for key in keys))
    await vendor.make(SandboxSpec(key="other", labels={"owner": "y", "ticket": "1"}))
    assert {info.ref.key for info in await vendor.list(labels)} == {*keys}
    assert [info.labels for info in await vendor.list({"owner": "y"})] == [{"owner": "y", "ticket": "1"}]
    assert len(await vendor.list({})) == len(keys) + 1


async def test_commands_run_as_root_with_exact_words_and_codes(vendor: RunloopVendor) -> None:
    instance = await vendor.make(SPEC)
    odd = ("it's", 'a "b"', "$HOME `id` \\", "", "line\nbreak")
    said = await vendor.run(instance, ("printf", "%s|", *odd), 30)
    assert (said.code, said.out) == (0, "".join(f"{word}|" for word in odd))
    said = await vendor.run(instance, ("sh", "-c", "id -u >&2; exit 7"), 30)
    assert (said.code, said.out) == (7, "")
    assert said.err.strip().isdigit()


async def test_output_beyond_what_comes_inline_is_whole(vendor: RunloopVendor) -> None:
    instance = await vendor.make(SPEC)
    said = await vendor.run(instance, ("seq", "300000"), 30)
    assert said.out == "".join(f"{number}\n" for number in range(1, 300_001))


async def test_a_command_longer_than_one_answer_is_waited_for(
    vendor: RunloopVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.sandbox.runloop_vendor._HOLD_SECONDS", 1)
    instance = await vendor.make(SPEC)
    assert (await vendor.run(instance, ("sh", "-c", "sleep 2.2; echo done"), 30)).out == "done\n"
    with pytest.raises(Transient, match="did not end within"):
        await vendor.run(instance, ("sleep", "2"), 0.5)


async def test_files_go_in_and_out_as_they_are(vendor: RunloopVendor) -> None:
    instance = await vendor.make(SPEC)
    data = bytes(range(256)) * 5_000 + b"\r\n--\r\n"
    await vendor.put(instance, "/tmp/a file", data)
    assert await vendor.get(instance, "/tmp/a file", len(data)) == data
    with pytest.raises(BadSpec, match="more than 100 bytes"):
        await vendor.get(instance, "/tmp/a file", 100)
    with pytest.raises(FileNotFoundError):
        await vendor.get(instance, "/tmp/absent", 100)


async def test_what_has_ended_is_gone_for_every_use(vendor: RunloopVendor) -> None:
    instance = await vendor.make(SPEC)
    await vendor.remove("one")
    for name in (instance, "dbx_never"):
        for use in (
            vendor.run(name, ("true",), 5),
            vendor.put(name, "/tmp/a", b""),
            vendor.get(name, "/tmp/a", 9),
            vendor.snapshot(name),
        ):
            with pytest.raises(Gone):
                await use


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, Capacity), (503, Transient), (500, Transient), (401, Denied), (403, Denied), (0, Transient)],
)
async def test_what_errors_mean(
    service: FakeRunloop, vendor: RunloopVendor, status: int, error: type[SandboxError]
) -> None:
    instance = await vendor.make(SPEC)
    for where, use in (
        ("/v1/devboxes", vendor.list({})),
        ("/execute", vendor.run(instance, ("true",), 5)),
        ("/download_file", vendor.get(instance, "/etc/passwd", 9_999)),
        ("/upload_file", vendor.put(instance, "/tmp/a", b"")),
        ("/snapshot_disk", vendor.snapshot(instance)),
    ):
        service.http.add(Fault(where, status))
        with pytest.raises(error):
            await use


async def test_no_service_is_transient_and_a_bad_key_is_denied(service: FakeRunloop) -> None:
    with pytest.raises(Denied):
        await made_for(service, key="wrong").make(SPEC)
    with pytest.raises(Transient):
        await RunloopVendor("key", "test", base_url="http://127.0.0.1:9", http=no_kept_connections()).make(SPEC)


async def test_a_devbox_that_finds_no_place_is_a_matter_of_capacity(
    service: FakeRunloop, vendor: RunloopVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.sandbox.runloop_vendor._BOOT_SECONDS", 0.1)
    service.queued = 1
    with pytest.raises(Capacity, match="it is queued"):
        await vendor.make(SPEC)
    await vendor.remove("one")
    assert not [box for box in service.boxes.values() if box.status != "shutdown"]


async def test_a_snapshot_is_the_next_image_and_later_changes_are_not_in_it(vendor: RunloopVendor) -> None:
    instance = await vendor.make(SPEC)
    await vendor.put(instance, "/work/a", b"kept")
    kept = await vendor.snapshot(instance)
    await vendor.put(instance, "/work/a", b"later")
    second = await vendor.make(SandboxSpec(key="two", snapshot=kept))
    assert await vendor.get(second, "/work/a", 100) == b"kept"


async def test_a_snapshot_that_cannot_be_forgotten_is_still_there(service: FakeRunloop, vendor: RunloopVendor) -> None:
    kept = await vendor.snapshot(await vendor.make(SPEC))
    for status, error in ((500, Transient), (409, Transient), (403, Denied)):
        service.http.add(Fault("/delete", status))
        with pytest.raises(error):
            await vendor.forget(kept)
    assert [*service.snapshots] == [kept]
    service.http.add(Fault("/delete", after=True))
    with pytest.raises(Transient):
        await vendor.forget(kept)
    await vendor.forget(kept)
    assert not service.snapshots, "and when only the answer was lost, it is gone"


async def test_images_are_blueprints_and_one_that_is_not_there_is_a_bad_spec(service: FakeRunloop) -> None:
    with pytest.raises(BadSpec):
        await made_for(service).make(SandboxSpec(key="a", image="no-such"))
    with pytest.raises(Gone):
        await made_for(service).make(SandboxSpec(key="a", snapshot="snp_none"))
    await made_for(service, image="base").make(SandboxSpec(key="a"))
    assert [box.asked.blueprint_name for box in service.boxes.values()] == ["base"]


async def test_an_idle_devbox_ends_and_so_does_one_past_its_lifetime(
    service: FakeRunloop, vendor: RunloopVendor
) -> None:
    idle = await vendor.make(SandboxSpec(key="idle", idle_seconds=2))
    old = await vendor.make(SandboxSpec(key="old", lifetime_seconds=2))
    assert {idle, old} == {*living(service)}
    await asyncio.sleep(3.1)
    assert await vendor.list({}) == []
    assert not living(service)


async def test_a_sandbox_that_names_nothing_reaches_nothing(service: FakeRunloop, vendor: RunloopVendor) -> None:
    await vendor.make(SPEC)
    (policy,) = service.policies.values()
    assert not any(policy["egress"].values())
    (box,) = service.boxes.values()
    assert box.asked.launch_parameters.network_policy_id == policy["id"]


async def test_addresses_keep_their_ports_and_hosts_need_the_operators_word(service: FakeRunloop) -> None:
    assert made_for(service).capabilities.network is Network.CIDR
    with pytest.raises(PolicyUnsupported, match="80 and 443"):
        await made_for(service).make(SandboxSpec(key="a", egress=("pypi.org",)))
    assert not service.boxes
    wide = made_for(service, every_port=True)
    assert wide.capabilities.network is Network.DOMAIN
    await wide.make(SandboxSpec(key="a", egress=("pypi.org", "*.Example.org:8443", "10.0.0.0/8:5432", "192.0.2.7")))
    (policy,) = service.policies.values()
    assert policy["egress"]["allowed_hostnames"] == ["*.example.org", "pypi.org"]
    assert [(cidr["cidr"], [port["port"] for port in cidr["ports"]]) for cidr in policy["egress"]["allowed_cidrs"]] == [
        ("10.0.0.0/8", [5432]),
        ("192.0.2.7/32", [80, 443]),
    ]
    assert {port["protocol"] for cidr in policy["egress"]["allowed_cidrs"] for port in cidr["ports"]} == {"TCP"}


async def test_a_policy_is_made_once_and_one_that_was_changed_is_not_used(service: FakeRunloop) -> None:
    vendor = made_for(service)
    for key in ("a", "b"):
        await vendor.make(SandboxSpec(key=key, egress=("192.0.2.7:443",)))
    (first,) = service.policies.values()
    first["egress"]["allow_all"] = True
    await vendor.make(SandboxSpec(key="c", egress=("192.0.2.7:443",)))
    used = {box.asked.metadata["pawl_key"]: box.asked.launch_parameters for box in service.boxes.values()}
    assert used["a"].network_policy_id == used["b"].network_policy_id == first["id"]
    assert used["c"].network_policy_id != first["id"]


async def test_makers_that_make_the_same_policy_at_once_share_it(service: FakeRunloop) -> None:
    service.names_are_unique = True
    makers = [made_for(service) for _ in range(4)]
    await asyncio.gather(*(maker.make(SandboxSpec(key=f"k{at}")) for at, maker in enumerate(makers)))
    assert service.http.seen.count("POST /v1/network-policies") > 1  # they did race
    assert len(service.policies) == 1


async def test_a_devbox_without_its_policy_does_not_live(service: FakeRunloop, vendor: RunloopVendor) -> None:
    service.forgets_policy = True
    with pytest.raises(PolicyUnsupported, match="without the network policy"):
        await vendor.make(SPEC)
    assert not living(service)


async def test_a_devbox_has_the_size_that_holds_the_limits(service: FakeRunloop, vendor: RunloopVendor) -> None:
    with pytest.raises(PolicyUnsupported, match="here 4 GiB"):
        await vendor.make(SandboxSpec(key="a", limits=SandboxLimits(memory_mb=3_000), require_hard_limits=True))
    assert not service.boxes
    await vendor.make(SandboxSpec(key="a", limits=SandboxLimits(memory_mb=4_096, cpus=2), require_hard_limits=True))
    (box,) = service.boxes.values()
    asked = box.asked.launch_parameters
    assert (asked.custom_cpu_cores, asked.custom_gb_memory, asked.custom_disk_size) == (2, 4, 6)
