"""What people mean: by moving a card, and by the words they write where Pawl reads."""

import re
from decimal import Decimal

from pydantic import ValidationError

from workflows.domain.decision import GATES, Action, Decision
from workflows.domain.ticket import Phase

_AT_WORK = (Phase.PLANNING, Phase.BUILDING, Phase.REVIEWING)


def phase_of(status: str) -> Phase | None:
    """The phase a column stands for, however people write it: `plan gate`, `PLAN-GATE`, `Canceled`, `to do`.

    None when the column is not one of ours.
    """
    return _PHASES.get(_letters(status))


def rests(phase: Phase | None) -> bool:
    """Whether no work goes on in a column: Todo, a final phase, one of people's own. A card there belongs to nobody."""
    return phase is None or phase is Phase.TODO or phase.is_final


def meaning_of_move(phase: Phase, to: str) -> Action | None:
    """What a person says by moving the card of a ticket in `phase` into the column `to`; None when it says nothing.

    Moves that would need words (request changes, answer) or dollars (top up) mean nothing by themselves. Nor does
    Blocked, for moving the card back could not be told from its being there. Nor does any move of a card whose ticket
    has ended: Todo there is a fresh start, which is a trigger and not an action.
    """
    target = phase_of(to)
    if target is None or target is phase or phase.is_final:
        return None
    return _MOVES.get((phase, target)) or _MOVES_FROM_ANYWHERE.get(target)


def _letters(status: str) -> str:
    return "".join(character for character in status.lower() if character.isalnum())


_PHASES = {_letters(phase): phase for phase in Phase} | {"canceled": Phase.CANCELLED, "givenup": Phase.GAVE_UP}

_MOVES: dict[tuple[Phase, Phase], Action] = {
    (Phase.PLAN_GATE, Phase.BUILDING): Action.APPROVE,
    (Phase.PUSH_GATE, Phase.REVIEWING): Action.APPROVE,
    (Phase.MERGE_GATE, Phase.DONE): Action.APPROVE,
    **{(gate, Phase.DECLINED): Action.REJECT for gate in GATES},
    **{(Phase.BLOCKED, working): Action.RESUME for working in _AT_WORK},
}

_MOVES_FROM_ANYWHERE: dict[Phase, Action] = {
    Phase.TODO: Action.ABORT,
    Phase.CANCELLED: Action.ABORT,
    Phase.DECLINED: Action.ABORT,
    Phase.GAVE_UP: Action.ABORT,
    Phase.DONE: Action.TAKE_OVER,
    Phase.TAKEN_OVER: Action.TAKE_OVER,
}


def meaning_of_words(phase: Phase, text: str) -> tuple[Action, Decision] | str | None:
    """What a person says to a ticket in `phase`. None: they ask where it is. A text: why it is not understood, for
    what looks like a command and is none must neither spend nor approve, nor be taken for something else.

    A command is the whole first line, or stands there before a colon; what follows are its words. Everything else is
    an answer where one is asked for, a request for changes at a gate, and else steering.
    """
    first, _, rest = text.strip().partition("\n")
    if not first or _STATUS.fullmatch(_bare(first)):
        return None
    for pattern, action in _ALONE:
        if found := pattern.fullmatch(_bare(first)):
            return _commanded(action, found, rest)
    for pattern, action in _WITH_WORDS:
        if found := pattern.fullmatch(first.strip()):
            return _commanded(action, found, rest)
    if phase in GATES and _NEARLY_A_DECISION.match(_bare(first)):
        return (
            "Not understood: a command stands alone in the first line (approve, approve HASH, request changes: TEXT, "
            "reject: REASON). To send it back with these words, put `request changes:` before them."
        )
    if _NEARLY_A_TOP_UP.match(_bare(first)):
        return "Not understood: write `top up $5`, or `top up 100000 tokens`."
    action = Action.ANSWER if phase is Phase.QUESTION else Action.REQUEST_CHANGES if phase in GATES else Action.STEER
    return action, Decision(note=text.strip())


def _commanded(action: Action, found: re.Match[str], rest: str) -> tuple[Action, Decision] | str:
    given = {name: value or "" for name, value in found.groupdict().items()}
    words = (given.get("words", "").strip(), rest.strip())
    said: dict[str, object] = {"of": given.get("of", "").lower(), "note": "\n".join(part for part in words if part)}
    if amount := given.get("amount", "").replace(",", ""):
        said |= {"tokens": amount} if given["tokens"] else {"usd": Decimal(amount)}
    try:
        return action, Decision.model_validate(said)
    except ValidationError as error:
        return f"Not understood: {'; '.join(problem['msg'] for problem in error.errors())}."


def _bare(line: str) -> str:
    """The line without what people and their editors put around a command: `**Approve.**` is `Approve`."""
    return " ".join(line.strip(_AROUND).rstrip(".!").strip(_AROUND).split())


def _command(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


_AROUND = "*_`\"' \t\r"
_OF = r"(?: `?(?P<of>[0-9a-f]{1,64})`?)?"
_AMOUNT = r"\$? ?(?P<amount>(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})(?:\.[0-9]{1,4})?)(?P<tokens> tokens)?"
_ALONE: tuple[tuple[re.Pattern[str], Action], ...] = (
    (_command(rf"approve{_OF}"), Action.APPROVE),
    (_command(rf"request[ -]changes?{_OF}:?"), Action.REQUEST_CHANGES),
    (_command(rf"reject{_OF}:?"), Action.REJECT),
    (_command(r"pause|stop"), Action.PAUSE),
    (_command(r"resume"), Action.RESUME),
    (_command(r"abort"), Action.ABORT),
    (_command(r"take[ -]?over"), Action.TAKE_OVER),
    (_command(rf"top[ -]?up(?: by)? {_AMOUNT}"), Action.TOP_UP),
)
"""Commands that stand alone. `stop` is a pause, which can be taken back; only `abort` undoes."""
_WITH_WORDS: tuple[tuple[re.Pattern[str], Action], ...] = (
    (_command(rf"request[ -]changes?{_OF} ?:(?P<words>.*)"), Action.REQUEST_CHANGES),
    (_command(rf"reject{_OF} ?:(?P<words>.*)"), Action.REJECT),
    (_command(r"answer ?:(?P<words>.*)"), Action.ANSWER),
    (_command(r"steer ?:(?P<words>.*)"), Action.STEER),
)
_STATUS = _command(r"status\??")
_NEARLY_A_DECISION = _command(r"approv|reject|request[ -]change|lgtm\b|looks good|ship it|(?:yes|no|ok|okay)$")
_NEARLY_A_TOP_UP = _command(r"top[ -]?up\b")
