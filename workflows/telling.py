"""How a ticket is told: on the card, in comments, to whoever is notified, and as an agent at work."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception
from temporalio.workflow import ActivityConfig

from workflows import names
from workflows.desk import STORY_LINES
from workflows.domain.order import SessionLine, TicketOrder
from workflows.domain.plan import Spike
from workflows.domain.pull import reference
from workflows.domain.replies import footer, repeats
from workflows.domain.ticket import Phase
from workflows.domain.ticket import Ticket as Card
from workflows.domain.words import spike_body, spikes_comment
from workflows.outside import Answer, OutsideDesk
from workflows.ports.notify import Note, Notify
from workflows.ports.tracker import FileTicket, LinkTicket, MoveTicket, PostComment, Remark, ShowProgress, Tracker
from workflows.trouble import message_of

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Item = TypeVar("Item")

BETWEEN_LOOKS = timedelta(seconds=20)
"""How often what an agent does is passed on at most."""
SPIKE = "spike"
"""The label of a ticket that was filed to find something out."""
ALARMS = (Phase.BLOCKED, Phase.GAVE_UP)
_STAMP = len("00:00:00 ")


class TicketVoice(OutsideDesk):
    """What a ticket says, each thing once. None of it holds the ticket up when it fails."""

    def __init__(self, order: TicketOrder, account: str) -> None:
        super().__init__(order, account)
        self._account = account
        self._card_url = ""
        self._passed = 0
        """How many lines of the story the tracker was shown."""
        self._passing = asyncio.Lock()
        self._said_in_full: set[int] = set()
        """Lines of the story that a remark has in full: which ones, from 1."""
        self._named: tuple[SessionLine, ...] = ()
        """The sessions as the last remark found them."""
        self._attending: list[asyncio.Task[None]] = []

    async def _attempt(
        self,
        method: Callable[[Any, Request], Coroutine[Any, Any, Reply]],
        request: Request,
        config: ActivityConfig,
    ) -> Reply | None:
        """Take a step the ticket can live without: when it fails, the story says so and the ticket goes on."""
        try:
            reply = await workflow.execute_activity_method(method, request, **config)
            self._go_on()
            return reply
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            self._go_on()
            self.tell(f"Left undone: {message_of(error)}")
            return None

    # The card, and people

    async def _report(self, phase: Phase, text: str, key: str, body: str = "") -> None:
        """Write the phase where people look. `body` is what waits for them, without how to decide."""
        if self._order.follow:
            await self._catch_up(text, arrives=phase.waits_for_a_person or phase.is_final)
        shown = self._move(phase.value, self._remark(text, key) if text else None)
        if not (phase.waits_for_a_person or phase.is_final):
            await shown
            return
        told = self._notify(key, text, self._status.waiting_for or str(phase), body or text, alarm=phase in ALARMS)
        await _both(shown, told)

    async def _notify(self, key: str, about: str, text: str, body: str, *, alarm: bool) -> None:
        """Tell people, beside the ticket's way: what they decide meanwhile counts at once."""
        note = self._note(keyed(self._account, key, f"{self._status.subject} {about}"), text, body, alarm=alarm)
        step = f"Tell people: {note.phase}"
        if _posts_apart():
            self._unposted.append((note, step))
        else:
            await self._attempt(Notify.post_note, note, Notify.step(step))

    def _note(self, key: str, text: str, body: str = "", *, alarm: bool = False) -> Note:
        """With the hash that waits, and where to read it."""
        status = self._status
        return Note(
            key=key,
            identifier=self._order.identifier,
            phase=status.phase,
            text=text,
            title=status.title,
            ticket=self._order.ref,
            subject=status.subject,
            body=body,
            url=status.pull_request.url if status.pull_request else self._card_url,
            alarm=alarm,
        )

    async def _move(self, to: str, remark: Remark | None = None) -> None:
        self._shown_phase = to
        move = MoveTicket(ref=self._order.ref, to=to, subject=self._status.subject, remark=remark)
        await self._attempt(Tracker.move_ticket, move, Tracker.step(f"{self._order.identifier} → {to}"))

    async def _say(self, text: str, key: str, *, waits: bool = False) -> None:
        if self._order.follow:
            await self._catch_up(text)
        comment = self._comment(self._remark(text, key), waits=waits)
        await self._attempt(Tracker.post_comment, comment, Tracker.step(f"Comment on {self._order.identifier}"))

    def _comment(self, remark: Remark, *, waits: bool) -> PostComment:
        """`waits`: people are asked something, and still are after this."""
        at, subject = (self._status.phase, self._status.subject) if waits else (None, "")
        return PostComment(ref=self._order.ref, remark=remark, at=at, subject=subject)

    async def _link(self, url: str, title: str) -> None:
        """Put a link on the card, and have the ticket found by the pull request it leads to. A file of this machine is
        no link for whoever reads the card elsewhere."""
        if not url.startswith(("https://", "http://")) or not workflow.patched("links"):
            return
        if pull_request := reference(url):
            found_by = [names.PULL_REQUEST.value_set(pull_request)]
            workflow.upsert_search_attributes(found_by)  # pyright: ignore[reportUnknownMemberType]  # generic in the SDK
        link = LinkTicket(ref=self._order.ref, url=url, title=title)
        await self._attempt(Tracker.link_ticket, link, Tracker.step(f"Link {title}"))

    async def _file_spikes(self, spikes: tuple[Spike, ...]) -> None:
        """File each once, as a child of this ticket. Needs no `patched`: no plan of an older history has any."""
        filed: list[Card] = []
        for spike in spikes:
            filing = FileTicket(
                tracker=self._order.ref.tracker,
                key=keyed(self._account, "spike", spike.question),
                parent=self._order.ref,
                title=spike.question,
                body=spike_body(spike, self._order.identifier),
                labels=(SPIKE,),
            )
            card = await self._attempt(Tracker.file_ticket, filing, Tracker.step(f"File a spike: {spike.question}"))
            if card:
                filed.append(card)
                self.tell(f"Filed {card.identifier} {card.url}: {spike.question}")
        if filed:
            await self._say(spikes_comment(filed), key="spikes")

    def _remark(self, text: str, key: str) -> Remark:
        label = f"_{self._order.label}_\n\n" if self._order.label else ""
        took, self._named = footer(self._status, self._named), self._status.sessions
        foot = f"\n\n{took}" if took else ""
        return Remark(key=keyed(self._account, key, text), text=label + text + foot)

    # What goes on beside the ticket's way

    def _attend(self) -> None:
        """From here on answer people, and show the tracker what agents do, for as long as the ticket runs."""
        self._attending.append(asyncio.create_task(self._each_in_turn(self._answers, self._given)))
        self._attending.append(asyncio.create_task(self._each_in_turn(self._unposted, self._posted)))
        if self._order.follow:
            self._attending.append(asyncio.create_task(self._following()))

    async def _attended_to_the_end(self) -> None:
        """Nobody who was heard is left without an answer, and no note is lost: each has its step's patience."""
        if self._answers or self._unposted:
            await workflow.wait_condition(lambda: not self._answers and not self._unposted)
        for task in self._attending:
            task.cancel()

    async def _each_in_turn(self, waiting: list[Item], do: Callable[[Item], Awaitable[None]]) -> None:
        """One after the other, in the order they were put there. What fails for good is told and left."""
        while True:
            await workflow.wait_condition(lambda: bool(waiting))
            try:
                await do(waiting[0])
            except ActivityError as error:
                self.tell(f"Left undone: {message_of(error)}")
            waiting.pop(0)

    async def _posted(self, unposted: tuple[Note, str]) -> None:
        note, step = unposted
        await workflow.execute_activity_method(Notify.post_note, note, **Notify.step(step))

    async def _given(self, answer: Answer) -> None:
        """Say it on the ticket; to whom spoke elsewhere also as a note, for they may not look here."""
        order, status = self._order, self._status
        remark = Remark(key=f"{self._account}/{answer.key}", text=answer.text)
        if answer.puts_back:
            move = MoveTicket(ref=order.ref, to=self._shown_phase, subject=status.subject, remark=remark)
            step = Tracker.step(f"{order.identifier} → {self._shown_phase}, where it is")
            await workflow.execute_activity_method(Tracker.move_ticket, move, **step)
        else:
            comment = self._comment(remark, waits=status.phase.waits_for_a_person and self._verdict is None)
            step = Tracker.step(f"Answer on {order.identifier}")
            await workflow.execute_activity_method(Tracker.post_comment, comment, **step)
        if answer.reminds:
            note = self._note(remark.key, answer.text.replace("*", ""))
            await self._posted((note, "Remind people"))
        if answer.elsewhere:
            note = Note(
                key=remark.key,
                identifier=order.identifier,
                phase=status.phase,
                text=answer.text,
                title=status.title,
                ticket=order.ref,
            )
            said = (note, "Answer a person")
            if _posts_apart():
                self._unposted.append(said)
            else:
                await self._posted(said)

    async def _following(self) -> None:
        """Pass the story on while agents work. While a person is asked nothing is: the tracker shows the question."""
        while True:
            await workflow.wait_condition(self._has_news)
            await self._pass_on_story()
            await workflow.sleep(BETWEEN_LOOKS)

    def _has_news(self) -> bool:
        taken = self._shown_phase != Phase.TODO.value
        waits = self._status.phase.waits_for_a_person or self._status.phase.is_final
        return taken and not waits and self._lines_told > self._passed

    async def _catch_up(self, text: str, *, arrives: bool = False) -> None:
        """Pass on what the story had before this is said, so that it reads in order, but never what is said now.
        `arrives`: where a person is asked, or at the end; a line that came after that would say that the agent works
        again."""
        in_order = bool(text) and workflow.patched("story-in-order")
        if in_order and self._status.story and repeats(self._status.story[-1][_STAMP:], text):
            self._said_in_full.add(self._lines_told)
        if in_order or arrives:
            await self._pass_on_story()

    async def _pass_on_story(self) -> None:
        """What the story has had since the last time, in one step that is given up soon: it is not worth a wait."""
        async with self._passing:
            new = min(self._lines_told - self._passed, STORY_LINES, len(self._status.story))
            if new <= 0:
                return
            numbered = enumerate(self._status.story[-new:], start=self._lines_told - new + 1)
            lines = tuple(line[_STAMP:] for number, line in numbered if number not in self._said_in_full)
            self._passed = self._lines_told
            if not lines:
                return
            progress = ShowProgress(
                ref=self._order.ref,
                key=keyed(self._account, f"progress-{self._lines_told}", "\n".join(lines)),
                phase=self._status.phase,
                lines=lines,
            )
            step = Tracker.step("Show what the agent does")
            step["schedule_to_close_timeout"] = timedelta(seconds=30)
            step["retry_policy"] = RetryPolicy(maximum_attempts=3)
            try:
                await workflow.execute_activity_method(Tracker.show_progress, progress, **step)
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise


def _posts_apart() -> bool:
    """Tickets from before notes had a queue wait for each of them."""
    return workflow.patched("notes-apart")


async def _both(first: Coroutine[Any, Any, None], second: Coroutine[Any, Any, None]) -> None:
    """Neither runs on when the other fails."""
    for result in await asyncio.gather(first, second, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def keyed(account: str, name: str, text: str) -> str:
    """The key under which something is said once. A Reset counts anew, so the name alone could stand for two texts."""
    return f"{account}/{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
