"""Values as YAML that people like to read: plain where that is safe, long texts as blocks."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from activities.notebook.reading import Bare

_STEP = "  "
_BEGINS = re.compile(r"[\w/(.]")
_MEANS_MORE = re.compile(
    r"null|true|false|yes|no|on|off|y|n|\.{3}.*"
    r"|0x[0-9a-f_]+|0o[0-7_]+|[0-9][0-9_]*(\.[0-9_]*)?(e[-+]?[0-9]+)?|\.[0-9][0-9_]*(e[-+]?[0-9]+)?|\.(inf|nan)"
    r"|[0-9]+(:[0-9]+)+(\.[0-9]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*",
    re.IGNORECASE,
)
"""What other programs would take for something else than a text."""
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def pair(key: str, value: object, indent: int) -> list[str]:
    """The lines of a key and its value."""
    pad = _STEP * indent
    named = f"{pad}{scalar(key)}:"
    if isinstance(value, Mapping) and value:
        return [named, *mapping(cast("Mapping[str, object]", value), indent + 1)]
    if isinstance(value, list | tuple) and value:
        return [named, *sequence(cast("Sequence[object]", value), indent + 1)]
    if isinstance(value, str) and not isinstance(value, Bare) and _is_block(value):
        return [f"{named} {_indicator(value)}", *_block(value, indent + 1)]
    said = _one_line(cast("object", value))
    return [f"{named} {said}" if said else named]


def mapping(values: Mapping[str, object], indent: int) -> list[str]:
    return [line for key, value in values.items() for line in pair(key, value, indent)]


def sequence(values: Sequence[object], indent: int) -> list[str]:
    return [line for value in values for line in _item(value, indent)]


def as_item(lines: list[str], indent: int) -> list[str]:
    """Lines of a mapping, written one step deeper than `indent`, as an item of a list."""
    return [f"{_STEP * indent}- {lines[0][len(_STEP) * (indent + 1) :]}", *lines[1:]]


def scalar(text: str) -> str:
    """In one line."""
    if not text:
        return '""'
    is_plain = text.isprintable() and text == text.strip() and _BEGINS.match(text) and not _MEANS_MORE.fullmatch(text)
    if is_plain and ": " not in text and " #" not in text and not text.endswith(":"):
        return text
    return f'"{"".join(_escaped(character) for character in text)}"'


def _item(value: object, indent: int) -> list[str]:
    pad = _STEP * indent
    if isinstance(value, Mapping) and value:
        return as_item(mapping(cast("Mapping[str, object]", value), indent + 1), indent)
    if isinstance(value, list | tuple) and value:
        return [f"{pad}-", *sequence(cast("Sequence[object]", value), indent + 1)]
    return [f"{pad}- {_one_line(cast('object', value))}".rstrip()]


def _one_line(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping | list | tuple):
        return "{}" if isinstance(value, Mapping) else "[]"
    if value is None:
        return ""
    return scalar(value) if isinstance(value, str) and not isinstance(value, Bare) else str(value)


def _is_block(text: str) -> bool:
    lines = text.split("\n")
    kept = all(line.replace("\t", "").isprintable() for line in lines)
    return len(lines) > 1 and kept and bool(lines[0].strip()) and not text.endswith("\n\n")


def _indicator(text: str) -> str:
    deep = str(len(_STEP)) if text[0] in " \t" else ""
    return f"|{deep}{'' if text.endswith(chr(10)) else '-'}"


def _block(text: str, indent: int) -> list[str]:
    pad = _STEP * indent
    return [f"{pad}{line}" if line else "" for line in text.removesuffix("\n").split("\n")]


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:  # half of a character: no file can hold it
        return "\ufffd"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
