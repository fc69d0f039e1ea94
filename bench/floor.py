"""The plain floor: the synthetic ticket's model calls by a loop that keeps nothing and decides nothing."""

import asyncio
import time
from typing import Any

import httpx

from activities.agent.tools import definitions
from activities.model.gateway import GatewayModel, GatewayRuns
from bench.machine import Machine
from bench.process import own_cpu
from bench.results import Floor
from bench.work import answers, files
from infra.parts import Part
from infra.secrets import gateway_secret
from workflows.domain import prompt
from workflows.domain.session import Role
from workflows.domain.tokens import SEQ_HEADER
from workflows.ports.model import OpenAccount

_ALONE = 3


async def floor(machine: Machine, model: str, turns: int, count: int, at_once: int) -> Floor:
    async with httpx.AsyncClient(base_url=machine.settings.gateway_url, trust_env=False, timeout=60) as http:
        loop = _Loop(http, gateway_secret(machine.settings), model, turns)
        await loop.ticket("warm")
        begun = time.monotonic()
        for number in range(_ALONE):
            await loop.ticket(f"alone-{number}")
        alone = time.monotonic() - begun
        gateway, own, begun = machine.cpu()[Part.GATEWAY], own_cpu(), time.monotonic()
        left = iter(range(count))

        async def one() -> None:
            for number in left:
                await loop.ticket(f"floor-{number}")

        await asyncio.gather(*(one() for _ in range(at_once)))
        seconds = time.monotonic() - begun
    return Floor(
        tickets=count,
        at_once=at_once,
        per_second=count / seconds,
        loop_cpu_ms=(own_cpu() - own) / count * 1000,
        gateway_cpu_ms=machine.cpu()[Part.GATEWAY].since(gateway).own / count * 1000,
        ms_per_call=alone / _ALONE / loop.calls * 1000,
    )


class _Loop:
    def __init__(self, http: httpx.AsyncClient, secret: str, model: str, turns: int) -> None:
        self._http, self._model = http, model
        self._gateway, self._runs = GatewayModel(http, secret), GatewayRuns(http, secret)
        self._sessions = answers(turns)
        self._files = files()
        self.calls = sum(map(len, self._sessions.values()))

    async def ticket(self, name: str) -> None:
        await self._gateway.open_account(OpenAccount(account=name, models=(self._model,), usd=None, tokens=None))
        for session, uses in self._sessions.items():
            await self._session(name, Role(session[:-1]), int(session[-1]), uses)

    async def _session(self, account: str, role: Role, part: int, uses: list[dict[str, Any]]) -> None:
        session = f"{account}.{role}{part}"
        await self._runs.open_run(session, account, role, part, self._model)
        tools = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters_json_schema}
            for tool in definitions(role)
        ]
        messages: list[dict[str, Any]] = [{"role": "user", "content": "Mend the hinge. It squeaks."}]
        body = {"model": self._model, "max_tokens": 8_192, "system": prompt.system(role), "tools": tools}
        headers = {"authorization": f"Bearer {self._runs.token(session)}"}
        for seq, use in enumerate(uses, start=1):
            reply = await self._http.post(
                "/anthropic/v1/messages",
                json={**body, "messages": messages},
                headers={**headers, SEQ_HEADER: str(seq)},
            )
            content = reply.raise_for_status().json()["content"]
            result = {"type": "tool_result", "tool_use_id": content[-1]["id"], "content": self._result(use)}
            messages += [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]

    def _result(self, use: dict[str, Any]) -> str:
        return self._files.get(use["input"].get("path", ""), "Done.")
