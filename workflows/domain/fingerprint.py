"""The fingerprint of a failure: equal when a change made no difference to how it fails."""

import hashlib
import re

_VOLATILE: tuple[tuple[str, str], ...] = (
    (r"\x1b\[[0-9;]*[A-Za-z]", ""),  # colours
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
    (r"\b0x[0-9a-fA-F]+\b", "<address>"),
    (r"/tmp/[^\s'\":,)\]]+", "<temporary>"),  # noqa: S108
    (r"\b\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?\b", "<time>"),
    (r"\b\d{1,2}:\d{2}:\d{2}([.,]\d+)?\b", "<time>"),
    (r"\b\d+([.,]\d+)?\s*(ns|us|µs|ms|s|sec|secs|seconds?|m|min|minutes?)\b", "<duration>"),
    (r"\b(pid|PID|port|seed)([=: ]+)\d+\b", r"\1\2<number>"),
    (r"\[[\d,]+ characters cut\]", "[characters cut]"),
    (r"[ \t]+$", ""),
)
_RULES = tuple((re.compile(pattern, re.MULTILINE), instead) for pattern, instead in _VOLATILE)


def fingerprint(text: str) -> str:
    """Sixteen hex digits over the text without times, durations, addresses, temporary paths, process numbers."""
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
