"""What people hear of a night, by the autonomy level of the repository: a report, draft tickets, started tickets."""

from collections.abc import Sequence

from temporalio import workflow

from workflows import names
from workflows.domain.decision import short
from workflows.domain.failures import Failure
from workflows.domain.order import TicketOrder
from workflows.domain.ticket import Ticket, TicketRef
from workflows.domain.triage import Entry, Level, Standing, TriageOrder
from workflows.domain.triage_brakes import HandOn, Purse, in_order, what_fits
from workflows.domain.triage_look import LABEL
from workflows.domain.triage_words import bare, fixed_words, report, report_title, ticket_body, ticket_title
from workflows.domain.written import is_open, text_digest
from workflows.ports.tracker import FileTicket, ListOpen, OpenTickets, PostComment, Remark, RewriteTicket, Tracker
from workflows.starting import start_ticket
from workflows.triage_finding import NightFinding
from workflows.triage_gathering import Look
from workflows.triage_steps import Failed

_MOST_CLOSED = 20
"""Tickets with keys of ours that are passed over, because they were closed before the state file knew of them."""


class NightTelling(NightFinding):
    """The end of a night. Everything said has a key, so that a night that is repeated says nothing twice."""

    def __init__(self, order: TriageOrder) -> None:
        super().__init__(order)
        self._ours = OpenTickets()
        self._left: tuple[Entry, ...] = ()
        self._written: tuple[str, ...] = ()
        self._started: tuple[str, ...] = ()
        self._told = ""
        """Digest of the report as people can read it now."""

    async def _hand_on(self, look: Look) -> None:
        waiting, fresh = self._to_tell()
        fixed = tuple(entry for entry in self._learned.values() if entry.standing is Standing.FIXED)
        self._told = self._state.told
        if not (waiting or self._learned or self._is_out_of_date()):
            return
        order = self._order
        listing = ListOpen(tracker=order.tracker, team=order.team, labels=(LABEL,), most=500, bodies=False)
        self._ours = await self._step(Tracker.list_open, listing, Tracker.step("List the open tickets of triage"))
        if self._policy.level is Level.REPORT:
            await self._report((*in_order(waiting), *fresh))
        else:
            await self._file(waiting, fresh, look.said)
            await self._report(())
        for entry in fixed:
            await self._tell_fixed(entry)

    def _to_tell(self) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
        """What waited before this night, and what is new, as the state file has it now: a person may have written
        there since."""
        able = {
            entry.id: entry
            for entry in self._state.findings
            if entry.standing is Standing.WAITING and entry.id not in self._unshown and not self._is_fixed(entry)
        }
        waiting = tuple(entry for entry in able.values() if entry.id not in self._fresh)
        return waiting, tuple(able[name] for name in self._fresh if name in able)

    def _is_fixed(self, entry: Entry) -> bool:
        return entry.id in self._learned and self._learned[entry.id].standing is Standing.FIXED

    # The report

    async def _report(self, news: Sequence[Entry]) -> None:
        """One ticket whose text is kept up to date. Once a person has closed it, the next finding begins another."""
        inbox = self._state.inbox
        if inbox and self._is_open(inbox) and await self._rewritten(inbox, news):
            return
        if news:
            await self._new_inbox(news)
        elif inbox:
            self._told = self._digest(self._report_of(self._in_report(inbox)))  # nobody wants it up to date

    async def _rewritten(self, inbox: TicketRef, news: Sequence[Entry]) -> bool:
        """Whether the findings are in the report now, and it can still be read."""
        before = self._in_report(inbox)
        known = next((entry for entry in before if entry.identifier), None)
        told = tuple(self._in_inbox(entry, inbox, known) for entry in news)
        names_of_news = {entry.id for entry in told}
        text = self._report_of((*(entry for entry in before if entry.id not in names_of_news), *told))
        if not news and self._digest(text) == self._told:
            return True
        rewrite = RewriteTicket(ref=inbox, title=report_title(self._repository.name), body=text)
        try:
            ticket = await self._step(Tracker.rewrite_ticket, rewrite, Tracker.step("Bring the report up to date"))
        except Failed as error:
            if error.kind == Failure.TICKET_NOT_FOUND:  # somebody deleted it
                return False
            raise
        if not is_open(ticket):
            return False
        self._learn(*told)
        self._told = self._digest(text)
        self._written += (ticket.identifier,)
        return True

    async def _new_inbox(self, news: Sequence[Entry]) -> None:
        text = self._report_of(news)
        for number in range(self._state.inboxes + 1, self._state.inboxes + _MOST_CLOSED + 1):
            filing = FileTicket(
                tracker=self._order.tracker,
                key=f"{self._order.name}:inbox:{number}",
                team=self._order.team,
                title=report_title(self._repository.name),
                body=text,
                labels=(LABEL,),
            )
            ticket = await self._step(Tracker.file_ticket, filing, Tracker.step("File the report"))
            if is_open(ticket):
                return await self._begun(ticket, number, filing, news)
        raise Failed(f"The last {_MOST_CLOSED} reports of {self._order.name} are closed, and no new one can be filed.")

    async def _begun(self, ticket: Ticket, number: int, filing: FileTicket, news: Sequence[Entry]) -> None:
        """The report is there; a night that ended after filing it may have left it with an older text."""
        if ticket.body.strip() != filing.body.strip():
            rewrite = RewriteTicket(ref=ticket.ref, title=filing.title, body=filing.body)
            await self._step(Tracker.rewrite_ticket, rewrite, Tracker.step("Bring the report up to date"))
        self._told = self._digest(filing.body)
        self._written += (ticket.identifier,)
        where = ticket.ref, ticket.identifier, ticket.url
        self._learn(*(_told(entry, Standing.REPORTED, *where) for entry in news))
        await self._keep("Write down where the report is", self._learned.values(), inbox=ticket.ref, inboxes=number)

    def _in_inbox(self, entry: Entry, inbox: TicketRef, like: Entry | None) -> Entry:
        listed = next((ticket for ticket in self._ours.tickets if ticket.ref == inbox), None)
        identifier = listed.identifier if listed else like.identifier if like else inbox.id
        url = listed.url if listed else like.url if like else ""
        return _told(entry, Standing.REPORTED, inbox, identifier, url)

    def _is_out_of_date(self) -> bool:
        """Whether a person has changed in the state file what the report tells, or a night ended before it told it."""
        inbox = self._state.inbox
        return inbox is not None and self._digest(self._report_of(self._in_report(inbox))) != self._told

    def _in_report(self, inbox: TicketRef) -> tuple[Entry, ...]:
        """What has been told there, as it stands now."""
        entries = (self._learned.get(entry.id, entry) for entry in self._state.findings if not _waits(entry))
        return tuple(entry for entry in entries if entry.ticket == inbox)

    def _digest(self, text: str) -> str:
        return text_digest(report_title(self._repository.name), text)

    def _report_of(self, entries: Sequence[Entry]) -> str:
        ordered = sorted(entries, key=lambda entry: (entry.first_seen, entry.id))
        return report(ordered, self._repository.name, self._path)

    def _is_open(self, ref: TicketRef) -> bool:
        """As far as the tracker tells; what cannot be seen there is tried."""
        return not self._ours.complete or any(ticket.ref == ref for ticket in self._ours.tickets)

    # Tickets

    async def _file(self, waiting: tuple[Entry, ...], fresh: tuple[Entry, ...], said: str) -> None:
        policy = self._policy
        purse = Purse(
            night=policy.usd_per_night,
            spent=self._spent,
            price=policy.usd_per_finding or self._context.policy.budget.usd,
        )
        fitted = what_fits(waiting, fresh, policy, purse, self._open_now(), said)
        self._left = fitted.waiting
        for one in fitted.now:
            await self._file_one(one, purse)

    def _open_now(self) -> int:
        """How many tickets of single findings are open. Whatever else carries the label is not triage's."""
        ours = [one.ticket for one in self._state.findings if one.standing.has_ticket and not one.elsewhere]
        return sum(ticket.ref in ours for ticket in self._ours.tickets)

    async def _file_one(self, one: HandOn, purse: Purse) -> None:
        one, filing, ticket = await self._filed(one)
        start = one.start and is_open(ticket)
        if start:
            await start_ticket(self._order_of(one, filing, ticket, purse), again=False)
            self._started += (ticket.identifier,)
        self._written += (ticket.identifier,)
        standing = Standing.STARTED if start else Standing.TICKETED
        self._learn(_told(one.entry, standing, ticket.ref, ticket.identifier, ticket.url))

    async def _filed(self, one: HandOn) -> tuple[HandOn, FileTicket, Ticket]:
        """One that people have closed is passed over: the finding has come up anew. Who closes them all wants none."""
        filing, ticket = await self._filed_once(one)
        for _ in range(_MOST_CLOSED):
            if is_open(ticket):
                break
            one = one.model_copy(update={"entry": one.entry.model_copy(update={"times": one.entry.times + 1})})
            filing, ticket = await self._filed_once(one)
        return one, filing, ticket

    async def _filed_once(self, one: HandOn) -> tuple[FileTicket, Ticket]:
        filing = self._filing_of(one)
        return filing, await self._step(Tracker.file_ticket, filing, Tracker.step(f"File: {filing.title}"))

    def _filing_of(self, one: HandOn) -> FileTicket:
        entry, order = one.entry, self._order
        shown = bare(entry) if one.unattended else entry
        return FileTicket(
            tracker=order.tracker,
            key=f"{order.name}:{entry.id}:{entry.times}",
            team=order.team,
            title=ticket_title(shown),
            body=ticket_body(shown, self._repository.name, order.label if one.start else ""),
            labels=(LABEL,),
        )

    def _order_of(self, one: HandOn, filing: FileTicket, ticket: Ticket, purse: Purse) -> TicketOrder:
        order = self._order
        workflow_id = names.ticket_workflow_id(ticket.ref)
        return TicketOrder(
            ref=ticket.ref,
            identifier=ticket.identifier,
            title=ticket.title[:300],
            repository=order.repository,
            base_branch=order.base_branch,
            model=order.model,
            reviewer_model=order.reviewer_model,
            usd=purse.price or None,
            label=order.label,
            follow=order.follow,
            ui=names.page(order.ui, workflow.info().namespace, workflow_id),
            unattended=self._leave(one),
            kind=one.entry.kind,
            text=text_digest(filing.title, filing.body) if one.unattended else "",
        )

    def _leave(self, one: HandOn) -> str:
        """Why the ticket may pass its gates by itself; empty: it may not."""
        base = short(self._repository.base_sha)
        said = f"WORKFLOW.md at {base}: triage level {self._policy.level:d}, kind {one.entry.kind}"
        return said if one.unattended else ""

    async def _tell_fixed(self, entry: Entry) -> None:
        """On a draft that nobody has started: it is not needed any more."""
        known = self._known(entry.id)
        if not entry.ticket or not known or known.standing is not Standing.TICKETED or not self._is_open(entry.ticket):
            return
        remark = Remark(key=f"triage-fixed-{entry.id}-{entry.times}", text=fixed_words(entry))
        saying = PostComment(ref=entry.ticket, remark=remark)
        await self._step(Tracker.post_comment, saying, Tracker.step(f"Say that {entry.identifier} is not needed"))
        self._written += (entry.identifier,)


def _told(entry: Entry, standing: Standing, ticket: TicketRef, identifier: str, url: str) -> Entry:
    """People can read it there, in a ticket of our own."""
    there = {"ticket": ticket, "identifier": identifier, "url": url, "elsewhere": False}
    return entry.model_copy(update={"standing": standing, **there})


def _waits(entry: Entry) -> bool:
    return entry.standing is Standing.WAITING
