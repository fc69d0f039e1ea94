"""What a command was let reach, for people: a line for each thing it asked for."""

import json
from typing import Any, cast

_MOST_LINES = 200


def read(text: str) -> list[dict[str, Any]]:
    """The lines as the proxy wrote them. The last may have been cut short with its writer, and is left out then."""
    lines: list[dict[str, Any]] = []
    for line in text.splitlines():
        try:
            lines.append(cast("dict[str, Any]", json.loads(line)))
        except ValueError:
            break
    return lines


def told(text: str) -> list[str]:
    """Each decision with what became of it, in the order they were made."""
    whole: dict[int, dict[str, Any]] = {}
    for line in read(text):
        whole.setdefault(line["n"], {}).update({"open": False, **line})
    words = [_words(decision) for decision in whole.values()]
    more = len(words) - _MOST_LINES
    return [*words[:_MOST_LINES], f"... and {more:,} more; --json has them all"] if more > 0 else words


def _words(decision: dict[str, Any]) -> str:
    what = f"{decision['verb']} {decision['host']}:{decision['port']}" if "verb" in decision else "what cannot be read"
    if not decision["allowed"]:
        times = f" ({decision['times']:,} times)" if "times" in decision else ""
        return f"refused {what}{times}: {decision['why']}"
    allowed = f"allowed {what} at {decision['address']} by {decision['rule']}"
    if "sent" not in decision:
        return f"{allowed}: no bytes are known"
    least = "at least " if decision["open"] else ""
    return f"{allowed}: sent {least}{decision['sent']:,} bytes, received {least}{decision['received']:,}"
