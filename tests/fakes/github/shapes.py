"""Replies of the shape GitHub's contract asks for: what the double knows, and something of the right type for what it
does not."""

import json
from functools import cache
from pathlib import Path
from typing import Any

CONTRACT = Path(__file__).resolve().parents[2] / "contracts" / "github" / "openapi-subset.json"
_WORDS = {"date-time": "2026-11-20T10:00:00Z", "uri": "https://github.example/x", "email": "a@example.org"}
_UNKNOWN = object()


@cache
def contract() -> dict[str, Any]:
    """As published, but that null is among the values of an enumeration that may be null: GitHub sends it, and the
    judge goes by the letter."""
    return json.loads(CONTRACT.read_text(), object_hook=_with_null)


def _with_null(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("nullable") is True and isinstance(part.get("enum"), list) and None not in part["enum"]:
        part["enum"] = [*part["enum"], None]
    return part


def shaped(path: str, method: str, status: int, known: Any) -> Any:
    """The reply with every required field. `path`: the contract's template."""
    replies = contract()["paths"][path][method.lower()]["responses"]
    body = _there(replies[str(status)]).get("content", {}).get("application/json")
    return filled(body["schema"], known) if body else known


def filled(schema: dict[str, Any], known: Any = _UNKNOWN) -> Any:
    schema = _there(schema)
    if known is None or (known is _UNKNOWN and schema.get("nullable") and not {"oneOf", "anyOf"} & set(schema)):
        return None  # the judge holds null against every part of a `oneOf`, whatever stands beside it
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return filled(_fitting(schema[several], known), known)
    if "allOf" in schema:
        merged: dict[str, Any] = {}
        for part in schema["allOf"]:
            described: dict[str, Any] = _there(part).get("properties", {})
            merged |= {k: v for k, v in filled(part, known).items() if k in described or k not in merged}
        return merged
    if schema.get("type") == "array":
        return [] if known is _UNKNOWN else [filled(schema["items"], one) for one in known]
    if "properties" in schema:
        return _object(schema, {} if known is _UNKNOWN else known)
    return _plain(schema) if known is _UNKNOWN else known


def _object(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    asked: dict[str, Any] = schema["properties"]
    names = {*schema.get("required", ()), *known}
    return {name: filled(asked.get(name, {}), known.get(name, _UNKNOWN)) for name in sorted(names)}


def _fitting(options: list[dict[str, Any]], known: Any) -> dict[str, Any]:
    wanted = "string" if isinstance(known, str) else "array" if isinstance(known, list) else "object"
    return next((one for one in options if _there(one).get("type") == wanted), options[0])


def _plain(schema: dict[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "string":
            return _WORDS.get(schema.get("format", ""), "x")
        case "integer" | "number":
            return 0
        case "boolean":
            return False
        case _:
            return {}


def _there(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = contract()
        for part in schema["$ref"].split("/")[1:]:
            found = found[part]
        schema = found
    return schema
