"""Speaking on an issue, each thing once: in the agent session people opened there, else in a comment."""

from dataclasses import dataclass
from typing import Any

from temporalio.exceptions import ApplicationError

from activities.tracker.linear import documents
from activities.tracker.linear.cards import uuid_of
from activities.tracker.linear.client import LinearClient, Missing
from activities.tracker.linear.rows import Issue, Session, User
from workflows.domain.decision import GATES
from workflows.domain.events import phase_of, rests
from workflows.domain.ticket import Phase

_STEPS = ("Plan", "Build", "Review", "Merge")
_STEP_OF = {
    Phase.PLANNING: 0,
    Phase.PLAN_GATE: 0,
    Phase.BUILDING: 1,
    Phase.PUSH_GATE: 1,
    Phase.REVIEWING: 2,
    Phase.MERGE_GATE: 3,
    Phase.DONE: 4,
}
_AT_WORK = (Phase.PLANNING, Phase.BUILDING, Phase.REVIEWING)


@dataclass(frozen=True)
class Speech:
    client: LinearClient

    async def greet(self, issue: Issue, us: User) -> None:
        """Linear gives an agent ten seconds for its first sign."""
        session = issue.session_of(us.id)
        if session and session.status == "pending":
            await self._act(session, "first", thought("Seen. Pawl reads the ticket and makes a plan."))

    async def apologise(self, issue: Issue, us: User, why: str) -> None:
        """The end of a session whose issue cannot be worked on."""
        session = issue.session_of(us.id)
        if session and session.is_open:
            await self._act(session, f"sorry {why}", {"content": {"type": "error", "body": why}})

    async def say(self, issue: Issue, us: User, key: str, text: str, said: dict[str, Any]) -> None:
        """`said` is what an agent session is told, `text` what a comment says where no session is open."""
        session = issue.session_of(us.id)
        if session and (session.is_open or await self._was_said(session, key)):
            await self._act(session, key, said)
            return
        fields = {"id": uuid_of("comment", issue.id, key), "issueId": issue.id, "body": text}
        await self.client.create(documents.CREATE_COMMENT, documents.COMMENT, fields)

    async def arrive(self, issue: Issue, us: User, to: str, key: str) -> None:
        """Show a session where the ticket is now: its plan, and what Pawl is at."""
        session, phase = issue.session_of(us.id), phase_of(to)
        if session is None or not session.is_open or phase is None:
            return
        await self.show_plan(session, phase)
        if phase in _AT_WORK:
            content = {"type": "action", "action": phase.value, "parameter": issue.identifier}
            await self._act(session, f"at {phase} {key or issue.updated_at}", {"content": content, "ephemeral": True})

    async def end(self, issue: Issue, us: User, to: str) -> None:
        """A session of a ticket that came to rest without words."""
        session, phase = issue.session_of(us.id), phase_of(to)
        if session and session.is_open and rests(phase):
            await self._act(session, f"end {issue.updated_at}", words_at(to, f"{to}."))

    async def show_plan(self, session: Session, phase: Phase) -> None:
        """Replaced whole, as Linear wants it, where it differs."""
        plan = plan_at(phase)
        if plan and plan != session.plan:
            await self.client.ask(documents.UPDATE_SESSION, id=session.id, input={"plan": plan})

    async def show_link(self, session: Session, url: str, title: str) -> None:
        if url not in {link.get("url") for link in session.external_links}:
            added = [{"url": url, "label": title}]
            await self.client.ask(documents.UPDATE_SESSION, id=session.id, input={"addedExternalUrls": added})

    async def progress(self, issue: Issue, us: User, key: str, phase: Phase, lines: tuple[str, ...]) -> None:
        session = issue.session_of(us.id)
        if session is None or not session.is_open:
            return
        await self.show_plan(session, phase)
        if lines:
            await self._act(session, key, thought("\n\n".join(lines)))

    async def _act(self, session: Session, key: str, said: dict[str, Any]) -> None:
        fields = {"id": _activity_id(session, key), "agentSessionId": session.id, **said}
        await self.client.create(documents.CREATE_ACTIVITY, documents.ACTIVITY, fields)

    async def _was_said(self, session: Session, key: str) -> bool:
        try:
            await self.client.ask(documents.ACTIVITY, id=_activity_id(session, key))
        except (Missing, ApplicationError) as error:
            if isinstance(error, Missing):
                return False
            raise
        return True


def thought(text: str) -> dict[str, Any]:
    return {"content": {"type": "thought", "body": text}}


def words_at(to: str, text: str, subject: str = "") -> dict[str, Any]:
    """What is said on arriving there, in the form a session has for it: a question where a person is waited for, with
    the hash that waits in the answers to choose from; the last word at the end."""
    phase = phase_of(to)
    if phase in GATES and subject:
        options = [
            {"label": "Approve", "value": f"approve {subject}"},
            {"label": "Request changes", "value": f"request-changes {subject}"},
        ]
        asked = {"content": {"type": "elicitation", "body": text}, "signal": "select"}
        return {**asked, "signalMetadata": {"options": options}}
    if phase and phase.waits_for_a_person:
        return {"content": {"type": "elicitation", "body": text}}
    if phase is Phase.GAVE_UP:
        return {"content": {"type": "error", "body": text}}
    if rests(phase):
        return {"content": {"type": "response", "body": text}}
    return thought(text)


def plan_at(phase: Phase) -> list[dict[str, str]]:
    """The steps as they stand; empty where the phase says nothing of them."""
    if phase in _STEP_OF:
        at = _STEP_OF[phase]
        states = ["completed"] * at + ["inProgress"] + ["pending"] * len(_STEPS)
    elif phase.is_final:
        states = ["canceled"] * len(_STEPS)
    else:
        return []
    return [{"content": step, "status": state} for step, state in zip(_STEPS, states, strict=False)]


def _activity_id(session: Session, key: str) -> str:
    return uuid_of("activity", session.id, key)
