"""The built-in agent: one model answer and its tool calls per turn, all of it in the journal."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Protocol

from pydantic_ai.messages import ModelResponse
from temporalio import activity

from activities.agent.ask import Ask
from activities.agent.briefing import briefed
from activities.agent.models import WINDOW_TOKENS, GatewayModels, MoneyOut, spend_of
from activities.agent.past import Past, turn_id, turn_key
from activities.agent.tools import definitions
from activities.agent.transcript import Next, Turn, conversation, dump_answer, first_prompt, is_full, load_answer
from activities.agent.turn import Notebook, Outcome, Start, carry_out, failing_call
from activities.errors import again, from_sandbox, stop
from workflows.domain.failures import Failure
from workflows.domain.session import (
    CloseSession,
    Role,
    SessionOrder,
    TakeTurn,
    TurnEnd,
    TurnReport,
)
from workflows.ports.agent import Agent
from workflows.ports.journal import EntryKind, Journal
from workflows.ports.sandbox import Gone, SandboxError
from workflows.ports.workspace import Checkout, Checkouts

SANDBOXES_PER_TURN = 3
"""So many sandboxes may die under one turn before the step is given back to be tried later."""


class Runs(Protocol):
    """The gateway's side of a session: a run is what its token buys calls for."""

    async def open_run(
        self, session: str, account: str, role: Role, part: int, model: str, usd: Decimal | None, tokens: int | None
    ) -> None:
        """Let the session's token buy calls within these ceilings; a closed run is opened again.

        Raises UnknownModel, UnknownPrice, BadCredentials.
        """
        ...

    async def close_run(self, session: str) -> None:
        """Revoke the token."""
        ...

    def token(self, session: str) -> str: ...


class BuiltinAgent(Agent):
    """Takes turns with any model the gateway serves. Nothing of a session is kept here but caches: any other worker
    goes on from the journal."""

    def __init__(
        self,
        journal: Journal,
        checkouts: Checkouts,
        runs: Runs,
        gateway_url: str,
        destroy: Callable[[str], Awaitable[None]],
        window_tokens: int = WINDOW_TOKENS,
    ) -> None:
        """`destroy` ends the sandbox of a workspace key, whether there is one or not."""
        self._journal = journal
        self._checkouts = checkouts
        self._runs = runs
        self._models = GatewayModels(gateway_url)
        self._destroy = destroy
        self._window = window_tokens
        self._past = Past(journal)

    async def close(self) -> None:
        """Let go of the connections to the gateway."""
        await self._models.close()

    @activity.defn
    async def take_turn(self, turn: TakeTurn) -> TurnReport:
        if turn.order:
            await self._open_run(turn.order)
        start = await self._start(turn)
        report = await self._taken(turn, start)
        if report.end is not TurnEnd.WORKING:
            await self._ended(turn.session)
        return report

    async def _ended(self, session: str) -> None:
        """Close the run. The turn is taken and journaled: neither a gateway that is away nor a cancellation may keep
        the ticket from learning what came of it. A run left open ends when the account's next one is opened."""
        closing = asyncio.ensure_future(self._runs.close_run(session))
        try:
            await asyncio.wait({closing})
        except asyncio.CancelledError:
            await asyncio.wait({closing})
        if error := closing.exception():
            activity.logger.warning("The run of %s was not revoked: %s", session, error)

    @activity.defn
    async def close_session(self, request: CloseSession) -> None:
        await self._runs.close_run(request.session)

    async def _open_run(self, order: SessionOrder) -> None:
        await self._runs.open_run(
            order.session, order.account, order.role, order.part, order.model, order.limits.usd, order.limits.tokens
        )

    async def _start(self, turn: TakeTurn) -> Start:
        if turn.order:
            ref, state = await briefed(self._journal, self._past, turn.order), turn.order.workspace.state
        elif turn.after:
            before = (await self._past.up_to(turn.after))[-1].turn
            ref, state = before.prompt, before.state
        else:
            raise stop(Failure.BAD_REQUEST, f"Turn {turn.seq} of {turn.session} follows no turn and has no order.")
        return Start(ref, await self._past.prompt(ref), state)

    async def _taken(self, turn: TakeTurn, start: Start) -> TurnReport:
        """The report of the turn, from memory or the journal where it was taken before."""
        id_ = turn_id(turn, start.ref)
        if known := self._past.turn(id_):
            return known.turn.report
        rows = {entry.key: entry for entry in await self._journal.entries(turn.session, first=turn.seq)}
        if done := rows.get(turn_key(id_)):
            return self._past.remember(Turn.model_validate_json(done.body), rows).turn.report
        notebook = Notebook(self._journal, turn, start, id_, rows)
        try:
            answer = await self._answer(notebook)
        except MoneyOut as error:
            return TurnReport(end=TurnEnd.MONEY_OUT, summary="the call was not sent", detail=str(error))
        outcome = await self._outcome(notebook, answer)
        return await self._finished(notebook, answer, outcome)

    # The answer

    async def _answer(self, notebook: Notebook) -> ModelResponse:
        """The journal's, else the gateway's, which replays what was bought and never arrived here."""
        turn, start, key = notebook.turn, notebook.start, notebook.answer_key
        if known := notebook.known(key):
            return load_answer(known)
        past = await self._past.up_to(turn.after) if turn.after else []
        if is_full([one.size for one in past], self._window):
            raise stop(
                Failure.BAD_REQUEST,
                f"The conversation is full: {past[-1].size} of {self._window} tokens after {len(past)} turns.",
                "Take the ticket over, or abort it and split it into smaller ones.",
            )
        prompts = {ref: await self._past.prompt(ref) for ref in {start.ref, *(one.turn.prompt for one in past)}}
        now = Next(start.ref, turn.steering)
        pictures = prompts[first_prompt(past, now)].pictures
        shown = {picture.content: await self._journal.load(picture.content) for picture in pictures}
        ask = Ask(
            model=start.prompt.model,
            session=turn.session,
            seq=turn.seq,
            token=self._runs.token(turn.session),
            messages=conversation(past, now, prompts, self._window, shown),
            tools=definitions(start.prompt.role),
        )
        answer = dump_answer(await self._models.ask(ask))
        heard = [
            notebook.once(EntryKind.STEER, f"steer-{notebook.digest}-{place}", json.dumps(said))
            for place, said in enumerate(turn.steering)
        ]
        stored, *_ = await asyncio.gather(notebook.once(EntryKind.ANSWER, key, answer), *heard)
        return load_answer(stored)

    # The tools

    async def _outcome(self, notebook: Notebook, answer: ModelResponse) -> Outcome:
        if answer.finish_reason == "content_filter":
            return Outcome({}, notebook.start.state)
        for _ in range(SANDBOXES_PER_TURN):
            try:
                return await carry_out(notebook, answer, lambda: self._open(notebook))
            except Gone:
                continue
            except SandboxError as error:
                raise from_sandbox(error) from error
        raise again(f"The sandbox died {SANDBOXES_PER_TURN} times during one turn.")

    async def _open(self, notebook: Notebook) -> Checkout:
        """The living sandbox, unless the ticket was reset to a turn before what that sandbox has seen."""
        workspace = notebook.workspace
        checkout = await self._checkouts.open(workspace)
        if notebook.strayed(checkout.instance):
            await self._destroy(workspace.key)
            checkout = await self._checkouts.open(workspace)
        return checkout

    # The record

    async def _finished(self, notebook: Notebook, answer: ModelResponse, outcome: Outcome) -> TurnReport:
        """Journal what was kept and the turn in one commit: there is no state without the turn that led to it."""
        turn = notebook.turn
        record = Turn(
            id=notebook.turn_id,
            parent=turn.after,
            session=turn.session,
            prompt=notebook.start.ref,
            steering=turn.steering,
            answer=notebook.answer_key,
            results=tuple(outcome.results),
            state=outcome.state,
            report=report_of(notebook, answer, outcome),
        )
        kept: list[Awaitable[str]] = []
        if record.report.changed:
            key = f"state-{notebook.digest}-@{outcome.instance}"
            kept.append(notebook.once(EntryKind.STATE, key, outcome.state or ""))
        *_, stored = await asyncio.gather(
            *kept, notebook.once(EntryKind.TURN, turn_key(notebook.turn_id), record.model_dump_json())
        )
        return self._past.remember(Turn.model_validate_json(stored), notebook.rows).turn.report


def report_of(notebook: Notebook, answer: ModelResponse, outcome: Outcome) -> TurnReport:
    """What the workflow learns of the turn."""
    results, changed = outcome.results.values(), outcome.state != notebook.start.state
    submission = next((result.submission for result in results if result.submission), None)
    question = next((result.question for result in results if result.question), "")
    refused = answer.finish_reason == "content_filter"
    if refused:
        end = TurnEnd.REFUSED
    elif submission:
        end = TurnEnd.SUBMITTED
    else:
        end = TurnEnd.ASKED if question else TurnEnd.WORKING
    summary = "; ".join(result.line for result in results)
    return TurnReport(
        turn=notebook.turn_id,
        end=end,
        summary=(summary or ("refused to answer" if refused else "answered without a tool call"))[:200],
        spend=spend_of(notebook.start.prompt.model, answer),
        state=outcome.state if changed else None,
        failing_call=failing_call(answer, results),
        format_error=not refused and not any(result.valid for result in results),
        changed=changed,
        submission=submission,
        question=question,
        detail=(answer.text or "The model gave no reason.")[:2_000] if refused else "",
    )
