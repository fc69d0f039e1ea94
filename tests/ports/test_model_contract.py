"""The contract of the paid side, held by the gateway's adapter over a real gateway."""

from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from temporalio.exceptions import ApplicationError

from activities.model.gateway import GatewayModel, GatewayRuns
from tests.fakes.gateway import CLAUDE, Gateway, running_gateway
from tests.fakes.provider import FakeProvider, running
from workflows.domain.budget import Bill
from workflows.domain.failures import Failure
from workflows.domain.session import Role
from workflows.ports.model import Model, OpenAccount, ReadBill, TopUpAccount


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncGenerator[Gateway]:
    async with running(FakeProvider()) as provider, running_gateway(tmp_path, provider.url) as one:
        yield one


@pytest.fixture
def model(gateway: Gateway) -> Model:
    return gateway.model


def order(*models: str, usd: str | None = "5", tokens: int | None = None) -> OpenAccount:
    ceiling = None if usd is None else Decimal(usd)
    return OpenAccount(account="a/1", models=models or (CLAUDE,), usd=ceiling, tokens=tokens)


async def test_its_activities_are_the_ports(model: Model) -> None:
    assert [step.__name__ for step in model.activities()] == ["open_account", "read_bill", "top_up_account"]


async def test_a_new_account_has_an_empty_bill(model: Model) -> None:
    await model.open_account(order(tokens=9_000))
    bill = await model.read_bill(ReadBill(account="a/1"))
    assert bill == Bill(usd_ceiling=Decimal(5), tokens_ceiling=9_000)


async def test_opening_and_topping_up_may_be_repeated(model: Model) -> None:
    for _ in range(2):
        await model.open_account(order())
        await model.top_up_account(TopUpAccount(account="a/1", usd_ceiling=Decimal("7.50")))
    assert (await model.read_bill(ReadBill(account="a/1"))).usd_ceiling == Decimal("7.5")


async def test_a_ceiling_in_tokens_is_raised_and_none_is_put_in_force(model: Model) -> None:
    await model.open_account(order(tokens=9_000))
    await model.top_up_account(TopUpAccount(account="a/1", usd_ceiling=Decimal(5), tokens_ceiling=12_000))
    assert (await model.read_bill(ReadBill(account="a/1"))).tokens_ceiling == 12_000
    await model.open_account(order().model_copy(update={"account": "a/2"}))
    await model.top_up_account(TopUpAccount(account="a/2", usd_ceiling=Decimal(5), tokens_ceiling=12_000))
    assert (await model.read_bill(ReadBill(account="a/2"))).tokens_ceiling is None


@pytest.mark.parametrize(
    ("name", "failure", "says"),
    [
        ("claude", Failure.UNKNOWN_MODEL, "provider:model"),
        ("tape:" + "f" * 64, Failure.UNKNOWN_MODEL, "no tape"),
        ("openai:gpt-99", Failure.UNKNOWN_PRICE, "PAWL_PRICES"),
    ],
)
async def test_a_model_that_cannot_be_used_stops_the_ticket_with_the_fix(
    model: Model, name: str, failure: Failure, says: str
) -> None:
    with pytest.raises(ApplicationError, match=says) as raised:
        await model.open_account(order(name))
    assert (raised.value.type, raised.value.non_retryable) == (failure.value, True)


async def test_a_missing_key_is_bad_credentials(tmp_path: Path) -> None:
    async with running_gateway(tmp_path / "keyless", "http://127.0.0.1:9", anthropic_api_key="") as keyless:
        with pytest.raises(ApplicationError, match="ANTHROPIC_API_KEY") as raised:
            await keyless.model.open_account(order())
    assert (raised.value.type, raised.value.non_retryable) == (Failure.BAD_CREDENTIALS.value, True)


async def test_an_unknown_account_cannot_be_billed(model: Model) -> None:
    with pytest.raises(ApplicationError, match="no account 'a/2'") as raised:
        await model.read_bill(ReadBill(account="a/2"))
    assert raised.value.non_retryable


async def test_a_wrong_secret_is_bad_credentials(gateway: Gateway) -> None:
    with pytest.raises(ApplicationError) as raised:
        await GatewayModel(gateway.http, "wrong").open_account(order())
    assert raised.value.type == Failure.BAD_CREDENTIALS.value


async def test_a_gateway_out_of_reach_is_tried_again() -> None:
    async with httpx.AsyncClient(base_url="http://127.0.0.1:9") as http:
        with pytest.raises(ApplicationError, match="cannot be reached") as raised:
            await GatewayModel(http, "s").open_account(order())
    assert (raised.value.type, raised.value.non_retryable) == (Failure.OUT_OF_REACH.value, False)


async def test_the_bill_counts_what_sessions_spend(gateway: Gateway, model: Model) -> None:
    await model.open_account(order())
    runs = GatewayRuns(gateway.http, gateway.secret)
    for _ in range(2):
        await runs.open_run("a/1.builder1", "a/1", Role.BUILDER, 1, CLAUDE, Decimal(1), 50_000)
    assert (await gateway.ask(runs.token("a/1.builder1"))).status_code == 200
    for _ in range(2):
        await runs.close_run("a/1.builder1")
    assert (await gateway.ask(runs.token("a/1.builder1"))).status_code == 403
    bill = await model.read_bill(ReadBill(account="a/1"))
    assert (bill.calls, bill.spend.turns, bill.spend.usd) == (1, 1, Decimal("0.0006"))


async def test_a_run_with_an_unknown_price_is_refused_under_a_dollar_ceiling(gateway: Gateway, model: Model) -> None:
    await model.open_account(order())
    with pytest.raises(ApplicationError, match="PAWL_PRICES") as raised:
        await gateway.runs.open_run("s", "a/1", Role.BUILDER, 1, "openai:gpt-99")
    assert raised.value.type == Failure.UNKNOWN_PRICE.value
