"""Filing: a task that somebody gave where there is no card yet becomes a ticket, and the ticket is started."""

from temporalio import workflow

from workflows.domain.chat import TaskAsked
from workflows.domain.intake import CardSeen, Start, Terms, decide
from workflows.domain.model import Record
from workflows.domain.ticket import Phase, Ticket
from workflows.ports.notify import Note, Notify
from workflows.ports.tracker import FileTicket, Tracker
from workflows.starting import start_ticket


class FilingOrder(Record):
    task: TaskAsked
    terms: Terms


def filing_id(task: TaskAsked) -> str:
    """One task, one filing, however often it is heard of."""
    return f"task:{task.id}"


@workflow.defn(name="Filing")
class Filing:
    """Files the task once, tells people where it is, and starts its ticket where a route serves it."""

    @workflow.run
    async def run(self, order: FilingOrder) -> str:
        task = order.task
        filing = FileTicket(tracker=task.tracker, key=task.id, team=task.team, title=task.title, body=_body(task))
        step = Tracker.step(f"File the task of {task.by.shown} in {task.tracker}")
        ticket = await workflow.execute_activity_method(Tracker.file_ticket, filing, **step)
        seen = CardSeen(id=task.id, card=ticket, at=task.at, by=task.by, assigned=True)
        start = next((move for move in decide(seen, order.terms) if isinstance(move, Start)), None)
        said = "Filed, and work begins." if start else "Filed. No route leads from there to a repository."
        if start:
            await start_ticket(start.order)
        await self._tell(task, ticket, said)
        return f"{ticket.identifier}: {said}"

    async def _tell(self, task: TaskAsked, ticket: Ticket, said: str) -> None:
        note = Note(
            key=task.id,
            identifier=ticket.identifier,
            phase=Phase.TODO,
            text=said,
            title=ticket.title,
            ticket=ticket.ref,
            url=ticket.url,
        )
        await workflow.execute_activity_method(Notify.post_note, note, **Notify.step("Tell people where it was filed"))


def _body(task: TaskAsked) -> str:
    return f"{task.text}\n\nAsked in Slack by {task.by.shown}."
