"""Reservation: what a call may cost at worst, and whether that still fits."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from infra.gateway.prices import PriceList
from infra.gateway.refusals import Kind, Refused
from infra.gateway.wire import PICTURES, Call, Flavour, as_list, as_object, picture_data
from workflows.domain.budget import TOKENS_OUT, fits, input_token_bound
from workflows.domain.model import Record

_HIDDEN_TOKENS = 1_000
"""What providers add to a request on their side, such as the instructions for using tools."""
_PICTURE_TOKENS = {Flavour.MESSAGES: 5_000, Flavour.RESPONSES: 15_000, Flavour.CHAT: 15_000}
"""More than is counted for one picture, however large, by the providers' own rules: they make it smaller first. A
patch of 28 x 28 pixels is a token of Anthropic's, at most 4,784 of them; one of 32 x 32 is up to 1.2 of OpenAI's, at
most 10,000 patches."""
_DEAR_PICTURES = {"gpt-4o-mini": 50_000}
"""Models that count a tile of a picture many times over."""
_FILES = frozenset({"document", "input_file", "file", "input_audio"})
_NOT_TEXT = re.compile(
    b"|".join(f'"{name}"'.encode() for name in sorted(PICTURES | _FILES | {"item_reference", "file_id"}))
)
_ELSEWHERE = ("previous_response_id", "conversation", "prompt", "mcp_servers", "container", "background")
_DEARER = ("speed", "inference_geo")
_TIERS = (None, "auto", "default", "flex", "standard_only")
_OWN_TOOLS = ("custom", "function", "local_shell", "apply_patch", "bash_", "text_editor_", "memory_", "computer_")


class Purse(Record):
    """Ceilings and what is gone or promised: of one session, or of the account its sessions share."""

    name: str
    usd_ceiling: Decimal | None
    tokens_ceiling: int | None
    usd_spent: Decimal
    usd_reserved: Decimal
    tokens_spent: int
    tokens_reserved: int

    @property
    def limited(self) -> bool:
        return self.usd_ceiling is not None or self.tokens_ceiling is not None


class LastCall(Record):
    """The last answered call of a session: how it began and what it used."""

    items: int = 0
    prefix: str = ""
    size: int = 0
    tokens: int = 0


class WorstCase(Record):
    """What is reserved before a call is sent."""

    input_tokens: int
    output_tokens: int
    usd: Decimal | None
    """None: the price is unknown."""

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


def worst_case(call: Call, model: str, last: LastCall, limited: bool, prices: PriceList) -> WorstCase:
    """The most a call can use. Under a ceiling, a call that has no such bound is refused."""
    media = list(call.blocks(_NOT_TEXT))
    if limited:
        _refuse_unbounded(call, media)
    size = call.size + _HIDDEN_TOKENS
    grew = 0 < last.items <= len(call.items) and call.prefix_digest(last.items) == last.prefix
    each, pictures = _picture_tokens(call, model), len(call.pictures())
    size += each * pictures
    if grew:  # what the pictures of then count is in that call's tokens
        before = each * (pictures - len(call.pictures(last.items)))
        bound = input_token_bound(size, last.size + _HIDDEN_TOKENS + before, last.tokens)
    else:
        bound = input_token_bound(size)
    output = call.output_limit or 0
    return WorstCase(input_tokens=bound, output_tokens=output, usd=prices.worst(model, bound, output))


def _picture_tokens(call: Call, model: str) -> int:
    dear = [tokens for name, tokens in _DEAR_PICTURES.items() if name in model]
    return max(_PICTURE_TOKENS[call.flavour], *dear, 0)


def refuse_overspending(purse: Purse, worst: WorstCase) -> None:
    """Raises Refused when the worst case does not fit, with the figures."""
    if purse.usd_ceiling is not None:
        if worst.usd is None:
            raise Refused(
                Kind.UNKNOWN_PRICE,
                f"{purse.name} has a dollar ceiling and the model has no price. Set PAWL_PRICES at the gateway.",
            )
        if not fits(purse.usd_ceiling, purse.usd_spent, purse.usd_reserved, worst.usd):
            raise Refused(
                Kind.MONEY_OUT,
                f"The money is used up: this call may cost up to {_usd(worst.usd)}, and of the "
                f"{_usd(purse.usd_ceiling)} of {purse.name}, {_usd(purse.usd_spent)} are spent and "
                f"{_usd(purse.usd_reserved)} are reserved by calls in flight. The call was not sent. "
                "Raise the ceiling to go on.",
            )
    if purse.tokens_ceiling is not None and not fits(
        Decimal(purse.tokens_ceiling),
        Decimal(purse.tokens_spent),
        Decimal(purse.tokens_reserved),
        Decimal(worst.tokens),
    ):
        raise Refused(
            Kind.MONEY_OUT,
            f"{TOKENS_OUT}: this call may use up to {worst.tokens:,} tokens, and of the "
            f"{purse.tokens_ceiling:,} of {purse.name}, {purse.tokens_spent:,} are spent and "
            f"{purse.tokens_reserved:,} are reserved by calls in flight. The call was not sent. "
            "Raise the ceiling to go on.",
        )


def _refuse_unbounded(call: Call, media: Iterable[Mapping[str, Any]]) -> None:
    reasons = (_unbounded(call), *(_unbounded_block(block) for block in media))
    if reason := next((reason for reason in reasons if reason), ""):
        raise Refused(
            Kind.BAD_REQUEST,
            f"This run has a ceiling, so what a call may cost must be known before it is sent, but {reason}.",
        )


def _unbounded(call: Call) -> str:
    """Why the call has no upper bound; empty when it has one."""
    if call.output_limit is None:
        return f"the request names no output limit in whole tokens; set {_limit_name(call.flavour)}"
    for key in (*_ELSEWHERE, *_DEARER):
        if call.body.get(key):
            return f"{key!r} makes it depend on what is not in the request"
    if call.body.get("web_search_options") is not None:  # an empty one turns it on too
        return "with 'web_search_options' the provider searches at its own discretion"
    if call.body.get("audio") is not None or "audio" in as_list(call.body.get("modalities")):
        return "spoken output has other prices"
    if (tier := call.body.get("service_tier")) not in _TIERS:
        return f"the service tier {tier!r} has other prices"
    for tool in as_list(call.body.get("tools")):
        kind = str(as_object(tool).get("type") or "custom")
        if not kind.startswith(_OWN_TOOLS):
            return f"the tool {kind!r} runs at the provider"
    return ""


def _unbounded_block(block: Mapping[str, Any]) -> str:
    kind = block.get("type")
    if kind == "item_reference" or "file_id" in block:
        return "it refers to content kept at the provider"
    if kind in _FILES:
        return f"the size of a {kind!r} block in tokens cannot be told"
    if kind in PICTURES and not picture_data(block):
        return "a picture is only referred to; send it inside the request"
    return ""


def _limit_name(flavour: Flavour) -> str:
    return {
        Flavour.MESSAGES: "max_tokens",
        Flavour.RESPONSES: "max_output_tokens",
        Flavour.CHAT: "max_completion_tokens",
    }[flavour]


def _usd(amount: Decimal) -> str:
    """Dollars to the cent, or as exact as it takes to differ from zero."""
    return f"${amount:.2f}" if amount == amount.quantize(Decimal("0.01")) else f"${amount:.4f}"
