"""A model call as it arrives: what it asks for and the key under which its answer is kept."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, cast
from urllib.parse import parse_qsl

from starlette.datastructures import Headers


class BadCall(Exception):
    """The request is none of this API; the message is for its sender."""


class Flavour(StrEnum):
    """The three APIs the gateway speaks."""

    MESSAGES = "messages"
    RESPONSES = "responses"
    CHAT = "chat"


_VOLATILE = frozenset(
    {"metadata", "client_metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "user"}
)
"""Keys that differ between a call and its repetition and do not change what is asked."""
_LIMITS = {
    Flavour.MESSAGES: ("max_tokens",),
    Flavour.RESPONSES: ("max_output_tokens",),
    Flavour.CHAT: ("max_completion_tokens", "max_tokens"),
}
_MEANING = ("anthropic-beta", "anthropic-version", "openai-beta")
"""Headers that change what is answered."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_BILLING = "x-anthropic-billing-header"
PICTURES = frozenset({"image", "image_url", "input_image"})
"""Kinds of blocks that hold a picture."""
_PICTURE = re.compile(b"|".join(f'"{name}"'.encode() for name in sorted(PICTURES)))


@dataclass(frozen=True)
class Call:
    """One model call. `frame` and `items` are its canonical form: everything around the conversation, headers that mean
    something included, and the conversation item by item, without what may change in a repetition."""

    session: str
    seq: int
    flavour: Flavour
    raw: bytes
    body: Mapping[str, Any]
    frame: bytes
    items: tuple[bytes, ...]

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def stream(self) -> bool:
        return self.body.get("stream") is True

    @cached_property
    def size(self) -> int:
        """Bytes of text: without the pictures sent along, which are not counted by their bytes."""
        whole = len(self.frame) + sum(map(len, self.items))
        return whole - sum(len(picture_data(block)) for block in self.pictures())

    def pictures(self, first: int = 0) -> list[Mapping[str, Any]]:
        """The blocks with pictures, from so many items on."""
        return [block for block in self.blocks(_PICTURE, first) if block.get("type") in PICTURES]

    @cached_property
    def digest(self) -> str:
        """The request hash of the key."""
        return self.prefix_digest(len(self.items))

    def prefix_digest(self, items: int) -> str:
        """Digest of the call as if its conversation ended after so many items: equal digests, equal beginnings."""
        digest = hashlib.sha256(self.frame)
        for item in self.items[:items]:
            digest.update(b"\n")
            digest.update(item)
        return digest.hexdigest()

    @property
    def output_limit(self) -> int | None:
        """The most output tokens the request allows over all its choices; None when it names no limit, or none that
        bounds anything: some servers take -1 for no limit, and some 2.0 for two choices."""
        limits = [value for key in _LIMITS[self.flavour] if (value := self.body.get(key)) is not None]
        choices = 1 if self.body.get("n") is None else self.body["n"]
        if not limits or not all(_is_count(value) for value in (*limits, choices)):
            return None
        return max(limits) * choices

    def blocks(self, mentioning: re.Pattern[bytes], first: int = 0) -> Iterator[Mapping[str, Any]]:
        """Every item and content block, nested ones too, of the items whose canonical form matches."""
        items = list(zip(as_list(self.body.get(_conversation(self.flavour))), self.items, strict=False))
        return _walk([item for item, form in items[first:] if mentioning.search(form)])


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


def as_object(value: object) -> dict[str, Any]:
    """The JSON object, or an empty one when the value is none."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """The JSON list, or an empty one when the value is none."""
    return cast("list[object]", value) if isinstance(value, list) else []


def picture_data(block: Mapping[str, Any]) -> str:
    """What a picture block holds of the picture itself; empty when it only refers to one."""
    source: object = block.get("source") or block.get("image_url")
    held = source if isinstance(source, str) else as_object(source).get("data") or as_object(source).get("url")
    return held if isinstance(held, str) and not held.startswith("http") else ""


def meant_besides(headers: Headers, query: str) -> dict[str, object]:
    """What of a request changes its answer and is not in its body, in one form for all ways to write it."""
    said: dict[str, object] = {name: _parts(headers.getlist(name)) for name in _MEANING}
    said["query"] = sorted(parse_qsl(query, keep_blank_values=True))
    return {name: value for name, value in said.items() if value}


def _parts(lines: Sequence[str]) -> list[str]:
    return sorted({part.strip() for line in lines for part in line.split(",")} - {""})


def read_call(
    session: str, seq: int, flavour: Flavour, raw: bytes, besides: Mapping[str, object] | None = None
) -> Call:
    """Raises BadCall, in words for the caller, when the body is not a request of this API. `besides`: what belongs to
    the request and is not in its body."""
    try:
        parsed: object = json.loads(raw, object_pairs_hook=_object)
    except ValueError as error:
        raise BadCall(f"The request body is not JSON: {error}.") from error
    if not isinstance(parsed, dict):
        raise BadCall("The request body must be a JSON object.")
    body = as_object(cast("object", parsed))
    conversation = _conversation(flavour)
    items: object = body.get(conversation)
    if isinstance(items, str):
        items = [items]
    if not isinstance(items, list):
        raise BadCall(f"The request has no {conversation}.")
    frame = {key: _settled(key, value) for key, value in body.items() if key != conversation and key not in _VOLATILE}
    return Call(
        session=session,
        seq=seq,
        flavour=flavour,
        raw=raw,
        body=body,
        frame=_canonical([frame, besides] if besides else frame),
        items=tuple(_canonical(_unmarked(item)) for item in cast("list[object]", items)),
    )


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """JSON leaves open which of two equal keys counts: the provider could take another one than was reserved for."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadCall(f"The request body has the key {twice[:100]!r} twice in one object. Send it once.")
    return found


def _conversation(flavour: Flavour) -> str:
    return "input" if flavour is Flavour.RESPONSES else "messages"


def _settled(key: str, value: object) -> object:
    """System text without what an agent CLI changes from run to run, tools without cache marks."""
    if key not in ("system", "tools") or not isinstance(value, list):
        return value
    blocks = [_without(block, "cache_control") for block in as_list(cast("object", value))]
    return [block for block in blocks if not _is_billing(block)]


def _unmarked(item: object) -> object:
    """An item without cache marks (they move from turn to turn) and without ids its sender made up."""
    plain = _without(item, "id")
    content = as_list(as_object(plain).get("content"))
    if not content:
        return plain
    return {**as_object(plain), "content": [_without(block, "cache_control") for block in content]}


def _without(value: object, key: str) -> object:
    if key not in as_object(value):
        return value
    return {name: part for name, part in as_object(value).items() if name != key}


def _is_billing(block: object) -> bool:
    return str(as_object(block).get("text")).startswith(_BILLING)


def _canonical(value: object) -> bytes:
    return _ENCODER.encode(value).encode(errors="surrogatepass")


def _walk(value: object) -> Iterator[Mapping[str, Any]]:
    for part in as_list(value):
        yield from _walk(part)
    if block := as_object(value):
        yield block
        yield from _walk(block.get("content"))
        yield from _walk(block.get("output"))
