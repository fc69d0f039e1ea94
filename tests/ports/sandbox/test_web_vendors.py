"""What every vendor's adapter promises, asked of each one over real HTTP."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from activities.sandbox.remote.vendor import Vendor
from tests.fakes.service import Fault
from tests.ports.sandbox.web_vendors import WEB_VENDORS, Double, WebVendor
from workflows.ports.sandbox import BadSpec, Capacity, Denied, Gone, PolicyUnsupported, SandboxSpec, Transient

pytestmark = pytest.mark.sandbox
COMMANDS = "/process"
SPEC = SandboxSpec(key="one", labels={"ticket": "ABC-1", "odd name": "ü/=&"})


class Service:
    """A double that runs, and the workers that use it."""

    def __init__(self, kind: WebVendor, double: Double) -> None:
        self._kind = kind
        self._double = double
        self.http = double.http
        self.creation = kind.creation
        self.sandboxes = double.sandboxes
        self.lose = double.lose

    def vendor(self, installation: str = "pawl", key: str = "") -> Vendor:
        return self._kind.vendor(self._double.url, key or self._kind.key, installation)


@pytest.fixture(params=WEB_VENDORS)
async def service(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Service]:
    kind = WEB_VENDORS[request.param]
    async with kind.double(tmp_path) as double:
        yield Service(kind, double)


@pytest.fixture
def vendor(service: Service) -> Vendor:
    return service.vendor()


async def test_makers_at_once_get_one_sandbox(service: Service) -> None:
    made = await asyncio.gather(*(service.vendor().make(SPEC) for _ in range(5)))
    assert len(set(made)) == 1
    assert service.sandboxes() == 1


async def test_a_creation_whose_answer_was_lost_is_found_again(service: Service, vendor: Vendor) -> None:
    service.http.add(Fault(service.creation, after=True))
    with pytest.raises(Transient):
        await vendor.make(SPEC)
    instance = await vendor.make(SPEC)
    assert [info.ref.instance for info in await vendor.list({})] == [instance]
    assert service.sandboxes() == 1


async def test_a_removed_sandbox_is_never_met_again(vendor: Vendor) -> None:
    made: list[str] = []
    for _ in range(3):
        made.append(await vendor.make(SPEC))
        await asyncio.gather(vendor.remove(SPEC.key), vendor.remove(SPEC.key))
        await vendor.remove(SPEC.key)
    assert len(set(made)) == 3
    assert await vendor.list({}) == []


async def test_list_knows_labels_keys_and_whose_sandboxes_they_are(service: Service, vendor: Vendor) -> None:
    made = {key: await vendor.make(SandboxSpec(key=key, labels={"owner": "x"})) for key in ("a", "b", "c", "d")}
    await vendor.make(SPEC)
    await service.vendor(installation="another").make(SandboxSpec(key="a", labels={"owner": "x"}))
    listed = await vendor.list({"owner": "x"})
    assert {info.ref.key: info.ref.instance for info in listed} == made
    assert [info.labels for info in await vendor.list({"odd name": "ü/=&"})] == [SPEC.labels]
    assert await vendor.list({"owner": "x", "ticket": "ABC-1"}) == []
    await vendor.remove("a")
    assert len(await service.vendor(installation="another").list({})) == 1


async def test_commands_say_what_they_say(vendor: Vendor) -> None:
    instance = await vendor.make(SPEC)
    said = await vendor.run(instance, ("sh", "-c", "echo out; echo err >&2; pwd; exit 7"), 20)
    assert (said.code, said.out, said.err.strip()) == (7, "out\n/\n", "err")
    odd = ("it's", 'say "x"', "=ls", "*", "$HOME `id` \\", "a\nb", "-n", "")
    assert (await vendor.run(instance, ("printf", "%s|", *odd), 20)).out == "".join(f"{word}|" for word in odd)
    assert (await vendor.run(instance, ("no-such-program",), 20)).code == 127
    assert len((await vendor.run(instance, ("head", "-c", "2000000", "/dev/zero"), 20)).out) == 2_000_000
    with pytest.raises(Transient):
        await vendor.run(instance, ("sleep", "20"), 1)


async def test_files_go_in_and_come_out_as_they_are(vendor: Vendor) -> None:
    instance = await vendor.make(SPEC)
    data = bytes(range(256)) * 12_000
    await vendor.put(instance, "/tmp/file", data)
    assert await vendor.get(instance, "/tmp/file", len(data)) == data
    with pytest.raises(BadSpec):
        await vendor.get(instance, "/tmp/file", len(data) - 1)
    with pytest.raises(FileNotFoundError):
        await vendor.get(instance, "/tmp/absent", 10)


@pytest.mark.parametrize("known", [True, False])
async def test_what_has_ended_is_gone(service: Service, vendor: Vendor, known: bool) -> None:
    instance = await vendor.make(SPEC)
    if known:
        await vendor.run(instance, ("true",), 20)
    await service.lose(instance)
    for use in (
        vendor.run(instance, ("true",), 20),
        vendor.put(instance, "/tmp/file", b""),
        vendor.get(instance, "/tmp/file", 10),
        vendor.snapshot(instance),
    ):
        with pytest.raises(Gone):
            await use
    assert await vendor.list({}) == []
    assert await vendor.make(SPEC) != instance


async def test_a_sandbox_of_another_installation_is_none_of_ours(service: Service, vendor: Vendor) -> None:
    theirs = await service.vendor(installation="another").make(SPEC)
    with pytest.raises(Gone):
        await vendor.run(theirs, ("true",), 20)


async def test_a_snapshot_starts_others_and_later_changes_stay_out(vendor: Vendor) -> None:
    instance = await vendor.make(SPEC)
    await vendor.put(instance, "/tmp/file", b"kept")
    image = await vendor.snapshot(instance)
    await vendor.put(instance, "/tmp/file", b"later")
    other = await vendor.make(SandboxSpec(key="two", snapshot=image))
    assert await vendor.get(other, "/tmp/file", 10) == b"kept"
    with pytest.raises(BadSpec):
        await vendor.make(SandboxSpec(key="three", image="no-such-image"))


@pytest.mark.parametrize(
    ("status", "meaning"), [(0, Transient), (500, Transient), (502, Transient), (503, Capacity), (429, Capacity)]
)
async def test_a_refused_creation_is_told_apart_and_not_repeated(
    service: Service, vendor: Vendor, status: int, meaning: type[Exception]
) -> None:
    service.http.add(Fault(service.creation, status))
    with pytest.raises(meaning):
        await vendor.make(SPEC)
    assert [asked for asked in service.http.seen if asked == service.creation] == [service.creation]
    assert await vendor.make(SPEC)


@pytest.mark.parametrize("status", [0, 429, 500, 502, 503])
async def test_a_command_that_was_not_heard_may_be_tried_again(service: Service, vendor: Vendor, status: int) -> None:
    instance = await vendor.make(SPEC)
    service.http.add(Fault(COMMANDS, status))
    with pytest.raises((Transient, Capacity)):
        await vendor.run(instance, ("true",), 20)
    assert (await vendor.run(instance, ("true",), 20)).code == 0


async def test_what_a_proxy_says_in_its_own_words_may_pass(service: Service, vendor: Vendor) -> None:
    for status in (502, 504):
        service.http.add(Fault(service.creation, status, body=b"<html>Bad Gateway</html>"))
        with pytest.raises(Transient):
            await vendor.make(SPEC)


async def test_a_refused_key_is_denied(service: Service) -> None:
    stranger = service.vendor(key="of somebody else")
    for use in (stranger.make(SPEC), stranger.list({}), stranger.remove("one"), stranger.run("x", ("true",), 20)):
        with pytest.raises(Denied):
            await use


@pytest.mark.parametrize("rule", ["pypi.org:443", "pypi.org:8443", "10.0.0.5", "192.168.0.0/16", "[fd00::7]:443"])
async def test_an_allowlist_that_would_be_opened_wider_is_refused(service: Service, vendor: Vendor, rule: str) -> None:
    with pytest.raises(PolicyUnsupported, match=rule.replace("[", r"\[")):
        await vendor.make(SandboxSpec(key="one", egress=("pypi.org", rule)))
    assert not service.sandboxes()
