"""Accounts, runs and receipts: what worker and command line may ask of the gateway."""

from typing import Any

import pytest

from infra.gateway.player import TAPE
from infra.gateway.providers import providers
from infra.gateway.settings import GatewaySettings
from tests.fakes.gateway import CLAUDE, Gateway, running_gateway
from tests.fakes.provider import FakeProvider
from workflows.domain.policy import PROVIDERS


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic x", "Bearer"])
@pytest.mark.parametrize("path", ["/v1/accounts/t1/bill", "/v1/accounts/t1/calls", "/v1/runs/t1.builder1/calls"])
async def test_admin_routes_need_the_secret(gateway: Gateway, header: str, path: str) -> None:
    await gateway.open()
    refused = await gateway.http.get(path, headers={"authorization": header})
    assert refused.status_code == 401
    assert refused.json()["type"] == "bad_secret"


async def test_a_run_token_is_no_admin(gateway: Gateway) -> None:
    token = await gateway.open()
    refused = await gateway.http.delete("/v1/runs/t1.builder1", headers={"authorization": f"Bearer {token}"})
    assert refused.status_code == 401


@pytest.mark.parametrize(
    ("models", "kind", "says"),
    [
        (
            ["claude-sonnet-4-6"],
            "unknown_model",
            "(anthropic:..., openai:..., openai-chat:..., tape:...)",
        ),
        (["mistral:large"], "unknown_model", "'mistral:large'"),
        (["anthropic:"], "unknown_model", "'anthropic:'"),
        (["tape:"], "unknown_model", "'tape:'"),
        (["openai:gpt-99"], "unknown_price", "Set PAWL_PRICES"),
        ([CLAUDE, "openai:gpt-99"], "unknown_price", "openai:gpt-99"),
        (["tape:" + "0" * 64], "unknown_tape", "Hand it in with PUT /v1/tapes"),
        (["tape:../../etc/passwd"], "unknown_tape", "Hand it in"),
    ],
)
async def test_a_model_that_cannot_be_used_is_refused_before_anything_is_spent(
    gateway: Gateway, models: list[str], kind: str, says: str
) -> None:
    refused = await gateway.admin("PUT", "/v1/accounts/t1", json={"models": models, "usd": "5", "tokens": None})
    assert refused.status_code == 422
    assert refused.json()["type"] == kind
    assert says in refused.json()["message"]
    assert (await gateway.admin("GET", "/v1/accounts/t1/bill")).status_code == 404


def test_a_policy_may_name_the_providers_the_gateway_knows() -> None:
    assert {*providers(GatewaySettings()), TAPE} == set(PROVIDERS)


async def test_a_missing_key_is_named(tmp_path: Any, provider: FakeProvider) -> None:
    async with running_gateway(tmp_path, provider.url, openai_api_key="") as gateway:
        order = {"models": ["openai:gpt-5"], "usd": "5"}
        refused = await gateway.admin("PUT", "/v1/accounts/t1", json=order)
        assert (refused.status_code, refused.json()["type"]) == (422, "no_credentials")
        assert "Set OPENAI_API_KEY" in refused.json()["message"]


async def test_without_a_dollar_ceiling_no_price_is_needed(gateway: Gateway) -> None:
    order = {"models": ["openai:gpt-99"], "usd": None, "tokens": 1_000}
    assert (await gateway.admin("PUT", "/v1/accounts/t1", json=order)).status_code == 200


async def test_a_run_is_checked_like_its_account(gateway: Gateway) -> None:
    await gateway.open()
    run = {"account": "t1", "role": "reviewer", "part": 1, "model": "openai:gpt-99"}
    refused = await gateway.admin("PUT", "/v1/runs/t1.reviewer1", json=run)
    assert (refused.status_code, refused.json()["type"]) == (422, "unknown_price")
    refused = await gateway.admin("PUT", "/v1/runs/x", json=run | {"account": "t9", "model": CLAUDE})
    assert (refused.status_code, refused.json()["type"]) == (404, "unknown_account")


async def test_a_session_belongs_to_one_account_role_and_part(gateway: Gateway) -> None:
    await gateway.open()
    run = {"account": "t1", "role": "reviewer", "part": 1, "model": CLAUDE}
    refused = await gateway.admin("PUT", "/v1/runs/t1.builder1", json=run)
    assert refused.status_code == 409
    assert "is builder 1 of account 't1' already" in refused.json()["message"]


@pytest.mark.parametrize(
    ("opened", "raised", "reopened", "expected"),
    [
        ("5", None, "5", "5"),
        ("5", "7", "5", "7"),
        ("5", "3", "5", "5"),
        ("5", None, "8", "8"),
        ("5", None, None, "5"),
        (None, "7", "5", None),
    ],
)
async def test_a_ceiling_only_ever_rises(
    gateway: Gateway, opened: str | None, raised: str | None, reopened: str | None, expected: str | None
) -> None:
    await gateway.admin("PUT", "/v1/accounts/t1", json={"models": [], "usd": opened})
    for _ in range(2):
        if raised is not None:
            assert (await gateway.admin("PATCH", "/v1/accounts/t1", json={"usd": raised})).status_code == 200
        await gateway.admin("PUT", "/v1/accounts/t1", json={"models": [], "usd": reopened})
    assert (await gateway.admin("GET", "/v1/accounts/t1/bill")).json()["usd_ceiling"] == expected


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("PUT", "/v1/accounts/t1", {"models": [], "usd": "many"}, "usd: "),
        ("PUT", "/v1/accounts/t1", {"models": [], "dollars": "5"}, "dollars: "),
        ("PATCH", "/v1/accounts/t1", {}, "usd: Field required"),
        ("PUT", "/v1/runs/s", {"account": "t1", "role": "boss", "part": 1, "model": CLAUDE}, "role: "),
    ],
)
async def test_a_wrong_order_names_the_field(
    gateway: Gateway, method: str, path: str, body: dict[str, Any], says: str
) -> None:
    refused = await gateway.admin(method, path, json=body)
    assert (refused.status_code, refused.json()["type"]) == (422, "bad_request")
    assert says in refused.json()["message"]


async def test_a_top_up_of_nobody_is_said(gateway: Gateway) -> None:
    refused = await gateway.admin("PATCH", "/v1/accounts/t9", json={"usd": "7"})
    assert (refused.status_code, refused.json()["type"]) == (404, "unknown_account")


async def test_names_may_hold_what_trackers_put_in_ids(gateway: Gateway) -> None:
    account, session = "acme/site#12.ab/calls", "acme/site#12.ab/calls.builder1"
    token = await gateway.open(session, account=account)
    assert (await gateway.ask(token)).status_code == 200
    assert (await gateway.bill(account)).calls == 1
    await gateway.runs.close_run(session)
    assert (await gateway.ask(token)).status_code == 403


async def test_an_account_is_told_session_by_session(gateway: Gateway) -> None:
    for session, calls in (("t1.builder1", 1), ("t1.builder2", 2)):
        token = await gateway.open(session)
        for seq in range(1, calls + 1):
            await gateway.ask(token, seq)
    told = (await gateway.admin("GET", "/v1/accounts/t1/sessions")).json()
    assert {session: (spend["turns"], spend["usd"]) for session, spend in told.items()} == {
        "t1.builder1": (1, "0.0006"),
        "t1.builder2": (2, "0.0012"),
    }
    assert (await gateway.admin("GET", "/v1/accounts/t9/sessions")).status_code == 404


async def test_an_accounts_receipts_are_those_of_all_its_sessions(gateway: Gateway) -> None:
    for session in ("t1.builder1", "t1.builder2"):
        await gateway.ask(await gateway.open(session))
    receipts = (await gateway.admin("GET", "/v1/accounts/t1/calls")).json()
    assert [receipt["session"] for receipt in receipts] == ["t1.builder1", "t1.builder2"]
    for receipt in receipts:
        assert receipt["usd"] == "0.0006"
        assert (receipt["price_source"], receipt["price_version"]) == ("genai-prices", "0.2.3")
        assert receipt["started_at"] <= receipt["ended_at"]
