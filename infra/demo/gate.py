"""Where the ticket waits: what the demo shows there, what it offers, and how a decision made here is sent."""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from temporalio.client import Client

from infra import client
from infra.demo.screen import Screen
from infra.exits import OutOfReach, Refused
from infra.whoami import whoami
from workflows.domain.decision import GATES, Action, Decision
from workflows.domain.order import TicketStatus
from workflows.domain.ticket import Phase
from workflows.domain.words import what_waits

_AGAIN_SECONDS = 3.0
"""When a decision has changed nothing for so long, the demo asks again."""


class Offer(NamedTuple):
    key: str
    action: Action
    what: str
    asks: str = ""
    """The question whose answer goes along as a note; empty when none does."""


_GATE = (
    Offer("a", Action.APPROVE, "approve"),
    Offer("c", Action.REQUEST_CHANGES, "request changes", "What should be different?"),
    Offer("r", Action.REJECT, "reject"),
)
_ABORT = Offer("x", Action.ABORT, "abort")
OFFERS: dict[Phase, tuple[Offer, ...]] = {
    **dict.fromkeys(GATES, _GATE),
    Phase.QUESTION: (Offer("w", Action.ANSWER, "answer in words", "Your answer:"), _ABORT),
    Phase.BUDGET_GATE: (_ABORT,),
    Phase.BLOCKED: (Offer("g", Action.RESUME, "go on"), _ABORT),
}
"""Where more money is asked for, the demo offers none: the ceiling it announced is kept."""


class Gate:
    """Asks a person whenever the ticket waits, and stops asking when somebody has decided elsewhere."""

    def __init__(
        self,
        screen: Screen,
        connected: Client,
        workflow_id: str,
        *,
        yes: bool,
        elsewhere: Callable[[Action], list[str]],
    ) -> None:
        """`elsewhere` says how else the action can be taken: other terminals, the Temporal UI."""
        self._screen, self._client, self._workflow_id = screen, connected, workflow_id
        self._yes, self._elsewhere = yes, elsewhere
        self._asked: tuple[Phase, str, str] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._decided_at = 0.0

    async def attend(self, status: TicketStatus) -> None:
        """Look at the ticket as it is now. To be called again and again."""
        waits = (status.phase, status.subject, status.waiting_for) if status.phase.waits_for_a_person else None
        if self._asking is not None and self._asking.done():
            self._asking.result()
            self._asking, self._decided_at = None, time.monotonic()
        unheard = self._asking is None and time.monotonic() - self._decided_at > _AGAIN_SECONDS
        if waits == self._asked and not (waits and unheard):
            return
        await self.close()
        self._asked = waits
        if waits is not None:
            self._screen.forget_typed()
            self._show(status)
            self._asking = asyncio.create_task(self._ask(status))

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
            self._asking = None

    def _show(self, status: TicketStatus) -> None:
        offers = OFFERS[status.phase]
        screen = self._screen
        screen.text()
        screen.line(f"{status.waiting_for}.", "bold yellow")
        if waits := what_waits(status):
            screen.markdown(waits)
        if status.phase is Phase.MERGE_GATE and status.pull_request:
            screen.text(f"Read it: {status.pull_request.url}")
        if self._yes:
            screen.text("Nobody is asked: --yes decides.")
            return
        if screen.listens:
            keys = ", ".join(f"[{offer.key}] to {offer.what}" for offer in offers)
            screen.text(f"  Here:                press {keys}", "bold")
        for line in self._elsewhere(offers[0].action):
            screen.text(f"  {line}")

    async def _ask(self, status: TicketStatus) -> None:
        if self._yes:
            await self._by_itself(status)
        elif self._screen.listens:
            await self._by_keys(status)
        else:
            await asyncio.Event().wait()

    async def _by_itself(self, status: TicketStatus) -> None:
        """Approve what is made; end what would wait for a person."""
        by = "pawl demo --yes"
        if status.phase is Phase.QUESTION:
            note = "Nobody is here to answer. Decide by the ticket, and say in your summary how."
            await self._send(Action.ANSWER, Decision(note=note, by=by))
        elif status.phase in GATES:
            await self._send(Action.APPROVE, Decision(by=by, of=status.subject))
        else:
            note = f"The demo cannot go on by itself. {status.waiting_for}"
            await self._send(Action.ABORT, Decision(note=note[:10_000], by=by))

    async def _by_keys(self, status: TicketStatus) -> None:
        offers = {offer.key: offer for offer in OFFERS[status.phase]}
        while True:
            offer = offers[await self._screen.key("".join(offers))]
            note = await self._screen.words(offer.asks) if offer.asks else ""
            of = status.subject if offer.action is Action.APPROVE else ""
            if await self._send(offer.action, Decision(note=note, by=whoami(), of=of)):
                return

    async def _send(self, action: Action, decision: Decision) -> bool:
        try:
            await client.act(self._client, self._workflow_id, action, decision)
        except (Refused, OutOfReach) as error:
            self._screen.line(str(error), "yellow")
            return False
        return True
