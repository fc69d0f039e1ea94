"""The gateway as a process: it drains when told to end, and remembers what it had in flight when it was killed."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from infra.gateway.server import Patience
from infra.gateway.tables import State
from infra.secrets import gateway_secret
from infra.settings import Settings
from tests.fakes.gateway import ANTHROPIC_KEY, OPENAI_KEY, Gateway, GatewayProcess, running_gateway
from tests.fakes.provider import FakeProvider, Fault, Rule


@pytest.fixture
async def process(tmp_path: Path, provider: FakeProvider) -> AsyncGenerator[GatewayProcess]:
    process = GatewayProcess(tmp_path / "home", provider.url)
    yield process
    await process.kill()


async def asked(provider: FakeProvider, calls: int = 1) -> None:
    """Wait until the provider has so many calls in hand."""
    async with asyncio.timeout(10):
        while provider.total < calls:  # noqa: ASYNC110  # the provider is a stranger: it has no event for us
            await asyncio.sleep(0.01)


async def test_killed_in_mid_call_it_charges_the_lost_call_and_buys_it_again(
    process: GatewayProcess, provider: FakeProvider
) -> None:
    gateway = await process.start()
    token = await gateway.open()
    assert (await gateway.ask(token, 1)).status_code == 200
    provider.rules = [Rule(fault=Fault(kind="hang"), times=1)]
    asking = asyncio.create_task(gateway.ask(token, 2))
    await asked(provider, 2)
    before = await gateway.bill()
    await process.kill()
    with pytest.raises(httpx.TransportError):
        await asking
    await gateway.http.aclose()

    gateway = await process.start()
    assert (await gateway.ask(token, 1)).headers["x-pawl-answer"] == "kept"
    bill = await gateway.bill()
    assert before.reserved_usd > 0
    assert (bill.reserved_usd, bill.spend.usd) == (Decimal(0), before.spend.usd + before.reserved_usd)
    assert (bill.calls, bill.calls_bought_twice) == (2, 0)
    assert (await gateway.ask(token, 2)).headers["x-pawl-answer"] == "bought"
    bill = await gateway.bill()
    assert (bill.calls, bill.calls_bought_twice, provider.total) == (3, 1, 3)
    states = [receipt["state"] for receipt in await gateway.receipts()]
    assert states == [State.ANSWERED, State.LOST, State.ANSWERED]
    await gateway.http.aclose()


async def test_told_to_end_it_lets_calls_land_even_those_nobody_waits_for(
    process: GatewayProcess, provider: FakeProvider
) -> None:
    provider.latency = 1.0
    gateway = await process.start()
    token = await gateway.open()
    waiting = asyncio.create_task(gateway.ask(token, 1))
    leaving = asyncio.create_task(gateway.ask(token, 2))
    await asked(provider, 2)
    leaving.cancel()
    process.signal(signal.SIGTERM)
    assert (await waiting).status_code == 200
    assert await process.ended() == 0
    await gateway.http.aclose()
    provider.latency = 0
    gateway = await process.start()
    assert [(await gateway.ask(token, seq)).headers["x-pawl-answer"] for seq in (1, 2)] == ["kept", "kept"]
    assert provider.total == 2
    await gateway.http.aclose()


@pytest.mark.parametrize("seconds", ["0", "1"])
async def test_it_does_not_wait_for_ever_for_a_provider_that_hangs(
    tmp_path: Path, provider: FakeProvider, seconds: str
) -> None:
    process = GatewayProcess(tmp_path / "home", provider.url, PAWL_SHUTDOWN_SECONDS=seconds)
    provider.rules = [Rule(fault=Fault(kind="hang"), times=1)]
    try:
        gateway = await process.start()
        token = await gateway.open()
        asking = asyncio.create_task(gateway.ask(token))
        await asked(provider)
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0
        await asyncio.gather(asking, return_exceptions=True)
        await gateway.http.aclose()
        assert "Ended with 1 call in flight" in process.log.read_text()
        gateway = await process.start()
        assert [receipt["state"] for receipt in await gateway.receipts()] == ["lost"]
        await gateway.http.aclose()
    finally:
        await process.kill()


async def test_no_secret_is_written_anywhere(process: GatewayProcess, provider: FakeProvider) -> None:
    """Good calls, refused keys, faults and a crash: neither the vendors' keys, nor the gateway's secret, nor run
    tokens are in logs, database or objects."""
    gateway = await process.start()
    token = await gateway.open()
    provider.rules = [Rule(fault=Fault(status=status), times=1) for status in (401, 500)]
    for seq in (1, 1, 1):
        await gateway.ask(token, seq)
    await gateway.admin("PUT", "/v1/accounts/t2", json={"models": ["openai:gpt-99"], "usd": "1"})
    provider.rules = [Rule(fault=Fault(kind="hang"))]
    asking = asyncio.create_task(gateway.ask(token, 2))
    await asked(provider, 4)
    await process.kill()
    await asyncio.gather(asking, return_exceptions=True)
    await gateway.http.aclose()
    secrets = [ANTHROPIC_KEY, OPENAI_KEY, gateway.secret, token]
    written = [path for path in process.home.rglob("*") if path.is_file() and path.name != "gateway.secret"]
    assert {"gateway.log", "gateway.db"} <= {path.name for path in written}
    for path in written:
        data = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in data], path.name
        if path.name != "gateway.log":  # the test opened that one
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path.name


async def test_an_address_in_use_is_said_in_words(process: GatewayProcess) -> None:
    gateway = await process.start()
    env = {**os.environ, "PAWL_HOME": str(process.home / "second"), "PAWL_GATEWAY_URL": process.url}
    argv = [sys.executable, "-m", "infra.gateway"]
    second = await asyncio.to_thread(subprocess.run, argv, env=env, capture_output=True, text=True, timeout=60)
    assert second.returncode == 6
    assert "Another gateway may run there" in second.stderr
    assert "Traceback" not in second.stderr
    await gateway.http.aclose()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PAWL_PRICES", '{"openai:x": {"input_mtok": 1}}', "output_mtok"),
        ("PAWL_PRICES", "foo", "PAWL_PRICES cannot be used: it is not JSON"),
        ("PAWL_ANTHROPIC_BASE_URL", "api.example", "PAWL_ANTHROPIC_BASE_URL"),
        ("PAWL_GATEWAY_URL", "https://127.0.0.1:1", "http://host:port"),
        ("PAWL_GATEWAY_DB_URL", "oracle://db/pawl", "its driver must be installed"),
    ],
)
async def test_a_wrong_setting_is_named(tmp_path: Path, name: str, value: str, says: str) -> None:
    env = {**os.environ, "PAWL_HOME": str(tmp_path), "PAWL_GATEWAY_URL": "http://127.0.0.1:0", name: value}
    argv = [sys.executable, "-m", "infra.gateway"]
    ended = await asyncio.to_thread(subprocess.run, argv, env=env, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_two_gateways_on_one_database_do_not_buy_the_same_call(tmp_path: Path, provider: FakeProvider) -> None:
    provider.rules = [Rule(fault=Fault(kind="hang"), times=1)]
    home = tmp_path / "home"
    async with (
        running_gateway(home, provider.url, owner="one", answer_seconds=3.0) as one,
        running_gateway(home, provider.url, owner="two") as two,
    ):
        token = await one.open()
        asking = asyncio.create_task(one.ask(token))
        await asked(provider)
        refused = await two.ask(token)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "in flight at the gateway one" in refused.json()["error"]["message"]
        assert provider.total == 1
        assert (await asking).status_code == 502
        assert (await two.ask(token)).headers["x-pawl-answer"] == "bought"
        assert (await one.ask(token)).headers["x-pawl-answer"] == "kept"
    assert provider.total == 2


async def test_a_gateway_taken_for_dead_that_lives_does_not_book_its_call_a_second_time(
    tmp_path: Path, provider: FakeProvider
) -> None:
    provider.rules = [Rule(fault=Fault(kind="hang"), times=1)]
    home = tmp_path / "home"
    async with running_gateway(home, provider.url, owner="one", answer_seconds=2.0) as one:
        token = await one.open()
        asking = asyncio.create_task(one.ask(token))
        await asked(provider)
        with closing(sqlite3.connect(home / "gateway.db")) as database, database:
            database.execute("UPDATE gateways SET seen_at = '2020-01-01T00:00:00+00:00' WHERE owner = 'one'")
            database.execute("UPDATE calls SET started_at = '2020-01-01T00:00:00+00:00'")
        async with running_gateway(home, provider.url, owner="two") as two:
            worst = (await two.bill()).spend.usd
            assert (await two.ask(token)).headers["x-pawl-answer"] == "bought"
            written_off = await two.bill()
            assert written_off.spend.usd > worst
            assert (await asking).status_code == 502
            assert [receipt["state"] for receipt in await two.receipts()] == [State.LOST, State.ANSWERED]
            assert await two.bill() == written_off
            assert written_off.reserved_usd == 0


def test_all_that_the_gateway_waits_for_shares_one_patience() -> None:
    patience = Patience(60)
    assert patience.left() == 60
    patience.told()
    first = patience.left()
    patience.told()
    assert patience.left() <= first <= 60
    none = Patience(0)
    none.told()
    assert none.left() == 0


def test_the_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "new")
    secret = gateway_secret(settings)
    assert len(secret) >= 40
    assert gateway_secret(settings) == secret
    assert stat.S_IMODE((tmp_path / "new" / "gateway.secret").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["gateway.secret"]
    assert gateway_secret(Settings(home=tmp_path, gateway_secret="told")) == "told"


def test_of_several_who_make_the_secret_at_once_all_get_the_same(tmp_path: Path) -> None:
    code = "from infra.secrets import *; from infra.settings import *; print(gateway_secret(Settings()))"
    env = {**os.environ, "PAWL_HOME": str(tmp_path / "new")}
    makers = [
        subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert len({maker.communicate(timeout=60)[0] for maker in makers}) == 1


async def test_health_needs_no_secret_and_says_nothing_private(gateway: Gateway) -> None:
    health = await gateway.http.get("/health")
    assert health.status_code == 200
    assert health.json()["ok"] is True
    assert set(health.json()) == {"ok", "service", "version", "in_flight"}
