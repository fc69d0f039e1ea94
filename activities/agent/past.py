"""What has been said: finished turns and prompts, read from the journal once and remembered."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Generic, TypeVar

from activities.agent.transcript import PastTurn, Prompt, ToolResult, Turn, load_answer
from activities.errors import stop
from workflows.domain.failures import Failure
from workflows.domain.session import TakeTurn
from workflows.ports.journal import Entry, EntryKind, Journal

REMEMBERED_TURNS, REMEMBERED_PROMPTS = 2_000, 200

Value = TypeVar("Value")


def turn_id(turn: TakeTurn, prompt: str) -> str:
    """The same for a retry and for a turn that is taken again after a Reset; another one for anything else that was
    said. It names its session, so that its parents are found wherever they were taken."""
    told = "\n".join((turn.session, str(turn.seq), turn.after or "", prompt, *turn.steering))
    return f"{turn.session}/{turn.seq}-{short_digest(told)}"


def turn_key(turn_id: str) -> str:
    """Where the journal keeps it within its session."""
    return f"turn-{turn_id.rpartition('/')[2]}"


def session_of(turn_id: str) -> str:
    return turn_id.rpartition("/")[0]


def short_digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


class Past:
    """A cache over the journal. It only ever holds what cannot change any more."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._turns = _Remembered[PastTurn](REMEMBERED_TURNS)
        self._prompts = _Remembered[Prompt](REMEMBERED_PROMPTS)

    def turn(self, turn_id: str) -> PastTurn | None:
        """The turn if it is remembered."""
        return self._turns.get(turn_id)

    def remember(self, turn: Turn, rows: Mapping[str, Entry]) -> PastTurn:
        """Keep a finished turn in mind. `rows` are its session's journal entries, with at least those of the turn."""
        if known := self._turns.get(turn.id):
            return known
        results = tuple(ToolResult.model_validate_json(rows[key].body) for key in turn.results)
        return self._turns.put(turn.id, PastTurn(turn, load_answer(rows[turn.answer].body), results))

    async def up_to(self, last: str) -> list[PastTurn]:
        """The turns up to `last`, oldest first, through all the sessions the conversation went through."""
        turns: list[PastTurn] = []
        at: str | None = last
        while at is not None:
            turn = self._turns.get(at) or await self._read(at)
            turns.append(turn)
            at = turn.turn.parent
        return turns[::-1]

    async def prompt(self, ref: str) -> Prompt:
        known = self._prompts.get(ref)
        return known or self._prompts.put(ref, Prompt.model_validate_json(await self._journal.load(ref)))

    async def _read(self, turn_id: str) -> PastTurn:
        """Read the session's turns all at once: whoever needs the last one needs the others too."""
        rows = {entry.key: entry for entry in await self._journal.entries(session_of(turn_id), first=1)}
        finished = [Turn.model_validate_json(entry.body) for entry in rows.values() if entry.kind is EntryKind.TURN]
        turns = {turn.id: self.remember(turn, rows) for turn in finished}
        if turn_id not in turns:
            raise stop(Failure.BAD_REQUEST, f"The journal holds no turn {turn_id}.", "Is it this ticket's journal?")
        return turns[turn_id]


class _Remembered(Generic[Value]):
    """The values used last, up to a number of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values = OrderedDict[str, Value]()

    def get(self, key: str) -> Value | None:
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: str, value: Value) -> Value:
        self._values[key] = value
        if len(self._values) > self._most:
            self._values.popitem(last=False)
        return value
