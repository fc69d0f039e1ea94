"""The start argument of a Loop as people may have left it in the Temporal UI: read, or refused in words. Pure."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, cast

from pydantic import ValidationError

from workflows.domain.loop import LoopOrder
from workflows.domain.model import Record
from workflows.domain.sweep import SweepOrder
from workflows.domain.triage import TriageOrder

FLOWS: Mapping[str, type[Record]] = {"Triage": TriageOrder, "Sweep": SweepOrder}
"""The work that a Loop may start, with the model of its start argument."""


def read_input(given: object) -> LoopOrder | str:
    """The order; or everything that is wrong with it, in words that name the keys."""
    if not isinstance(given, dict):
        return f"It must be an object with the keys {_listed(LoopOrder.model_fields)}, not {_shown(given)}."
    slips = _slips(LoopOrder, cast("dict[str, Any]", given))
    if slips:
        return " ".join(slips.values())
    order = LoopOrder.model_validate(given)
    model = FLOWS.get(order.flow)
    if model is None:
        return f"`flow` is {_shown(order.flow)}, which no loop can do. {_meant(order.flow, FLOWS)}"
    return " ".join(_slips(model, order.order, "order.").values()) or order


def readable(flow: str, order: Mapping[str, Any]) -> dict[str, Any]:
    """What that flow can read of an order; the rest is left out."""
    slips = _slips(FLOWS[flow], order)
    return {key: value for key, value in order.items() if key not in slips}


def _slips(model: type[Record], given: Mapping[str, Any], under: str = "") -> dict[str, str]:
    """What is wrong with each key. One that is unknown is a slip, for what it was to say would not be heeded."""
    known = model.model_fields
    slips = {key: f"There is no key {_shown(under + key)}. {_meant(key, known)}" for key in given if key not in known}
    try:
        model.model_validate(given)
    except ValidationError as error:
        for detail in error.errors():
            key = ".".join(map(str, detail["loc"]))
            slips[key] = f"`{under}{key}` {_wrong(detail)}"
    return slips


def _wrong(detail: Mapping[str, object]) -> str:
    said = str(detail["msg"]).removesuffix(".")
    match detail["type"]:
        case "missing":
            return "is missing."
        case "value_error":  # our own words, which name what was given
            return f"cannot be used: {said.removeprefix('Value error, ')}."
        case _:
            return f"cannot be used: {said}, not {_shown(detail['input'])}."


def _meant(written: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(written, known, n=1)
    return f"Did you mean `{near[0]}`?" if near else f"There is: {_listed(known)}."


def _listed(known: Iterable[str]) -> str:
    return ", ".join(f"`{key}`" for key in known)


def _shown(given: object) -> str:
    shown = repr(given)
    return shown if len(shown) <= 60 else f"{shown[:60]}..."
