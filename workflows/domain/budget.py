"""Budgets: ceilings on dollars, tokens, turns, strikes and time, and what was spent against them."""

from decimal import Decimal

from pydantic import Field

from workflows.domain.model import Record

TOKENS_OUT = "The tokens are used up"
"""How the gateway begins to say that a ceiling in tokens stopped a call: people are then told to top up in tokens."""


_MOST_TOKENS = 10**15
"""Far more than anybody can use; what is given on top still fits the gateway's books."""


class Budget(Record):
    """The ceilings of one ticket. A missing dollar or token ceiling means that none is in force."""

    usd: Decimal | None = Field(default=Decimal(5), ge=0)
    usd_per_session: Decimal | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0, le=_MOST_TOKENS)
    tokens_per_session: int | None = Field(default=None, ge=0, le=_MOST_TOKENS)
    turns_per_session: int = Field(default=60, ge=1, le=500)
    minutes_per_session: int = Field(default=60, ge=1, le=24 * 60)
    strikes: int = Field(default=5, ge=1, le=20)
    review_rounds: int = Field(default=3, ge=0, le=10)
    plan_revisions: int = Field(default=8, ge=1, le=50)
    ci_strikes: int = Field(default=3, ge=0, le=20)
    """Attempts at mending a red CI. These and those below count after the pull request is opened, each by itself;
    what is used up is left to a person at the merge gate and ends nothing."""
    flaky_reruns: int = Field(default=1, ge=0, le=5)
    """How often failed jobs run again on the same commit before somebody mends them."""
    review_strikes: int = Field(default=10, ge=0, le=50)
    """Rounds in which people's comments are fixed or answered."""
    conflict_strikes: int = Field(default=3, ge=0, le=20)
    """Attempts at bringing the change over to a base that it conflicts with."""
    base_strikes: int = Field(default=5, ge=0, le=20)
    """How often the change is brought over to a base that only moved, because the forge would not merge it."""


class Ceilings(Record):
    """What a ticket and each of its sessions may spend. None: no such ceiling is in force."""

    usd: Decimal | None = None
    usd_per_session: Decimal | None = None
    tokens: int | None = None
    tokens_per_session: int | None = None

    @property
    def in_dollars(self) -> bool:
        return self.usd is not None or self.usd_per_session is not None

    @property
    def in_tokens(self) -> bool:
        return self.tokens is not None or self.tokens_per_session is not None

    def raised(self, usd: Decimal, tokens: int) -> "Ceilings":
        """Those that are in force, each by so much."""
        by = {"usd": usd, "usd_per_session": usd, "tokens": tokens, "tokens_per_session": tokens}
        now = {name: getattr(self, name) for name in by}
        return Ceilings.model_validate({name: None if now[name] is None else now[name] + by[name] for name in by})


class Spend(Record):
    """What model calls cost. Dollars are decimal text in JSON; `unpriced` counts calls whose price is unknown."""

    turns: int = 0
    input_tokens: int = 0
    """All input, cached tokens included."""
    cached_tokens: int = 0
    output_tokens: int = 0
    usd: Decimal = Decimal(0)
    """Spent now, at the provider."""
    recorded_usd: Decimal = Decimal(0)
    """What a tape's answers cost when they were recorded, or would have cost if they are scripted."""
    unpriced: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def plus(self, other: "Spend") -> "Spend":
        return Spend(
            turns=self.turns + other.turns,
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            usd=self.usd + other.usd,
            recorded_usd=self.recorded_usd + other.recorded_usd,
            unpriced=self.unpriced + other.unpriced,
        )


class Bill(Record):
    """The gateway's account of one ticket, from its receipts."""

    spend: Spend = Spend()
    calls: int = 0
    calls_bought_twice: int = 0
    """Calls for which a provider was paid more than once: only the death of the gateway in mid-call can cause one."""
    usd_ceiling: Decimal | None = None
    tokens_ceiling: int | None = None
    reserved_usd: Decimal = Decimal(0)


def input_token_bound(body_bytes: int, last_body_bytes: int = 0, last_tokens: int = 0) -> int:
    """The most input tokens a request body of this size can hold.

    A token is at least one byte of text, so the body's size is a bound by itself. A conversation that only grew
    since its last priced call (`last_tokens` = that call's input and output) is bounded by that count plus the bytes
    it grew by, which is far tighter.
    """
    if last_tokens and body_bytes >= last_body_bytes > 0:
        return min(body_bytes, last_tokens + body_bytes - last_body_bytes)
    return body_bytes


def fits(ceiling: Decimal | None, spent: Decimal, reserved: Decimal, worst_case: Decimal) -> bool:
    """Whether a call may be sent: spent, reserved by calls in flight and its own worst case stay within the ceiling."""
    return ceiling is None or spent + reserved + worst_case <= ceiling
