"""The brakes of a night: how many tickets, how many open ones, how much money. What does not fit is first tomorrow."""

import re
from collections.abc import Sequence
from decimal import Decimal

from workflows.domain.model import Record
from workflows.domain.triage import Entry, Kind, Level, TriagePolicy
from workflows.domain.triage_proof import is_proven


class Purse(Record):
    """What the night may still spend."""

    night: Decimal | None
    """The night's ceiling; None: none is in force."""
    spent: Decimal = Decimal(0)
    price: Decimal | None = None
    """The ceiling of a ticket that is started; None: it has none, and cannot be started under a ceiling."""

    def buys(self, tickets: int) -> bool:
        if self.night is None:
            return True
        return self.price is not None and self.spent + self.price * tickets <= self.night

    @property
    def could_buy(self) -> bool:
        """Whether a night in which nothing else is spent could start one."""
        return self.model_copy(update={"spent": Decimal(0)}).buys(1)


class HandOn(Record):
    """One finding that becomes a ticket tonight."""

    entry: Entry
    start: bool = False
    unattended: bool = False


class Fitted(Record):
    now: tuple[HandOn, ...] = ()
    waiting: tuple[Entry, ...] = ()


def what_fits(
    waiting: Sequence[Entry], fresh: Sequence[Entry], policy: TriagePolicy, purse: Purse, open_now: int, said: str = ""
) -> Fitted:
    """What becomes a ticket tonight: first what has waited, the longest first, then the new ones as the triager ordered
    them. What was to be started and for which there is no money waits one night; where it then had the first call on
    the money and that was not enough, it becomes a draft. `said`: what the policy's own commands said that failed."""
    room = max(0, min(policy.new_tickets, policy.open_tickets - open_now))
    now, left, started = list[HandOn](), list[Entry](), 0
    for entry in (*in_order(waiting), *fresh):
        start = policy.level >= Level.START and is_proven(entry) and purse.could_buy
        if len(now) >= room:
            left.append(entry)
        elif start and purse.buys(started + 1):
            started += 1
            now.append(HandOn(entry=entry, start=True, unattended=_needs_nobody(entry, policy, said)))
        elif start and (started or entry not in waiting):
            left.append(entry)
        else:
            now.append(HandOn(entry=entry))
    return Fitted(now=tuple(now), waiting=tuple(left))


def _needs_nobody(entry: Entry, policy: TriagePolicy, said: str) -> bool:
    """Whether its ticket may pass its gates by itself. Kind and subject are a model's word, and that model has read
    strangers' text: one line of a command of the policy must have named it, too. What is written like a test is one."""
    is_low = policy.level >= Level.FINISH and entry.kind in policy.low_risk
    is_test = "::" in entry.subject and entry.kind not in (Kind.FAILING_TEST, Kind.FLAKY_TEST)
    return is_low and not is_test and _is_named(entry.subject, said)


def _is_named(subject: str, said: str) -> bool:
    """Whether all parts of it stand in one line, each as a word, in their order. A sentence is no name."""
    parts = [re.escape(part) for part in subject.split(":") if part]
    if not parts or re.search(r"\s", subject):
        return False
    named = re.compile(r"(?<![\w./-])" + r"(?![\w-]).*?(?<![\w./-])".join(parts) + r"(?![\w-])")
    return any(named.search(line) for line in said.splitlines())


def in_order(waiting: Sequence[Entry]) -> tuple[Entry, ...]:
    """What has waited longest is first."""
    return tuple(sorted(waiting, key=lambda entry: (entry.first_seen, entry.id)))
