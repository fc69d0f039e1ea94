"""Hearing: somebody said something, and what was sent does not say who they are. Their place is asked; then it counts,
or they are told why it does not."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.domain.failures import Failure
from workflows.domain.intake import WordsSaid
from workflows.domain.model import Record
from workflows.domain.people import Trust
from workflows.ports.members import Members, Said, Whisper

_WHISPERED = timedelta(hours=1)
"""How long it is tried: a place that could not be asked cannot say anything either, until it is back."""
_PASSED_ON = timedelta(hours=1)
_REFUSED = (
    "Nothing was done: only full members of this workspace may give Pawl tasks or decide for it. Guests, people of "
    "other workspaces and bots may not. Ask a member to do it."
)


class HearingOrder(Record):
    said: Said
    patience: timedelta = timedelta(minutes=10)
    """How long their place is asked who they are."""


def hearing_id(said: WordsSaid) -> str:
    """One happening, one hearing, however often it is heard of."""
    return f"heard:{said.by.place}:{said.id}"


@workflow.defn(name="Hearing")
class Hearing:
    """Ends well when the words were passed on, or refused. Fails where nobody could say whose they were; the same
    words, heard of again, are then asked about again."""

    @workflow.run
    async def run(self, order: HearingOrder) -> str:
        by = order.said.words.by
        try:
            step = Members.step(f"Ask {by.place} who {by.id} is")
            step["schedule_to_close_timeout"] = order.patience
            trust = await workflow.execute_activity_method(Members.look_up, by, **step)
        except ActivityError as error:
            why = _why(error)
            await self._whisper(order, f"Nothing was done: Pawl could not ask whether you may. {why} Do it again then.")
            raise ApplicationError(why, type=Failure.OUT_OF_REACH.value, non_retryable=True) from error
        if trust is not Trust.MEMBER:
            told = await self._whisper(order, _REFUSED)
            return f"Refused: {by.key} is no member. They were {'told' if told else 'not told: nowhere to'}."
        step = Members.step(f"Pass on what {by.shown} said")
        step["schedule_to_close_timeout"] = _PASSED_ON
        await workflow.execute_activity_method(Members.pass_on, order.said.by(trust), **step)
        return f"Passed on: {by.key} is a member."

    async def _whisper(self, order: HearingOrder, text: str) -> bool:
        words = order.said.words
        if not words.heard_in:
            return False
        step = Members.step(f"Tell {words.by.shown} alone that nothing was done")
        step["schedule_to_close_timeout"] = _WHISPERED
        whisper = Whisper(to=words.by, heard_in=words.heard_in, text=text)
        try:
            return await workflow.execute_activity_method(Members.whisper, whisper, **step)
        except ActivityError:
            return False


def _why(error: BaseException | None) -> str:
    """What the last try said; the time that ran out meanwhile stands before it."""
    while error is not None:
        if isinstance(error, ApplicationError):
            return error.message
        error = error.__cause__
    return "There was no answer in time."
