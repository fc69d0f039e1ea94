"""The secrets scanner, a program of its own: added lines as JSON in, findings as JSON out.

Run as `python -I scanner.py`, so that nothing but the library is imported. The lines are written by strangers; what
they do to a regular expression ends with this process. It opens no file and no connection, and never says a secret.
"""

import json
import math
import re
import resource
import sys
from collections.abc import Iterable, Iterator

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.filters import heuristic
from detect_secrets.filters.allowlist import is_line_allowlisted
from detect_secrets.plugins.base import BasePlugin
from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.high_entropy_strings import HighEntropyStringsPlugin
from detect_secrets.plugins.keyword import KeywordDetector
from detect_secrets.plugins.private_key import PrivateKeyDetector
from detect_secrets.util.code_snippet import get_code_snippet

Lines = list[tuple[int, str]]
Finding = tuple[str, int, str, bool]

_MOST_CPU_SECONDS = 120
_MOST_MEMORY = 2 << 30
_PIECE, _OVERLAP = 8_000, 400
"""Longer lines are looked at in pieces, which no format we know is longer than the overlap of."""
_LINES_OF_A_KEY = 4
_GUESSES = (KeywordDetector, BasicAuthDetector)
"""Detectors that go by what stands around a value: they count only where the value itself looks made by a machine."""


_RECENT_KIND = "Access Token"
_RECENT = re.compile(
    "(?<![A-Za-z0-9_-])(?:"
    + "|".join(
        (
            r"sk-ant-[a-z]{3,5}\d\d-[A-Za-z0-9_-]{80,}",  # Anthropic
            r"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}",  # OpenAI
            r"AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}",  # Google
            r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
            r"gl(?:pat|dt|rt|ptt|cbt|soat)-[A-Za-z0-9_.-]{20,}",  # GitLab
            r"pypi-AgE[A-Za-z0-9_-]{50,}|npm_[A-Za-z0-9]{36}",
            r"hf_[A-Za-z]{34}",  # Hugging Face
            r"lin_(?:api|oauth)_[A-Za-z0-9]{40}|e2b_[0-9a-f]{40}|dtn_[0-9a-f]{64}",  # Linear, E2B, Daytona
            r"a[ks]-(?=[A-Za-z]*\d)(?=[A-Za-z0-9]*[A-Z])[A-Za-z0-9]{22}",  # Modal
            r"do[opr]_v1_[0-9a-f]{64}",  # DigitalOcean
            r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
        )
    )
    + ")(?![A-Za-z0-9_-])"
)
"""Formats of today's services that the library does not know yet, as their makers document them."""


def findings(path: str, lines: Lines) -> Iterator[Finding]:
    """Path, line, kind, and whether a marker on the line says that it is none. At most one of a kind for each line."""
    texts = [text for _, text in lines]
    for index, (number, text) in enumerate(lines):
        kinds = dict.fromkeys(kind for piece in _pieces(text) for kind in _kinds(path, piece))
        following = "\n".join(text for _, text in lines[index : index + _LINES_OF_A_KEY])
        if "PRIVATE KEY" in text and any(PrivateKeyDetector().analyze_string(following)):
            kinds["Private Key"] = None
        if kinds:
            marked = is_line_allowlisted(path, text, get_code_snippet(texts, index + 1))
            yield from ((path, number, kind, marked) for kind in kinds)


def _pieces(text: str) -> Iterable[str]:
    return (text[start : start + _PIECE + _OVERLAP] for start in range(0, max(len(text), 1), _PIECE))


def _kinds(path: str, text: str) -> Iterator[str]:
    if _RECENT.search(text):
        yield _RECENT_KIND
    for detector in _DETECTORS:
        found = {str(value) for value in _values(detector, path, text) if value}
        if isinstance(detector, _GUESSES):
            found = {value for value in found if _looks_made(value) and not heuristic.is_indirect_reference(text)}
        if any(not _is_an_example(value) and f"sha512-{value}" not in text for value in found):
            yield detector.secret_type


def _values(detector: BasePlugin, path: str, text: str) -> Iterable[str | None]:
    if isinstance(detector, KeywordDetector):
        name = path.rpartition("/")[2]
        alike = "x.ini" if name.startswith(".env") or name.endswith(".env") else path
        return [secret.secret_value for secret in detector.analyze_line(filename=alike, line=text)]
    return detector.analyze_string(text)


def _looks_made(value: str) -> bool:
    """Letters and digits in disorder: no `password = "correct horse"`, no `changeme123`, no name of a variable."""
    if not 8 <= len(value) <= 500 or re.search(r"\s|[{}<>]|%\(", value):
        return False
    mixed = re.search(r"\d[A-Za-z]", value) or len(re.findall(r"[a-z][A-Z]", value)) >= 3
    return bool(mixed) and _bits(value) >= 3 and not heuristic.is_potential_uuid(value)


def _bits(value: str) -> float:
    """Entropy of a character."""
    return -sum(p * math.log2(p) for p in (value.count(one) / len(value) for one in set(value)))


def _is_an_example(value: str) -> bool:
    return (
        "example" in value.lower()
        or heuristic.is_sequential_string(value)
        or heuristic.is_templated_secret(value)
        or (len(value) > 8 and len(set(value)) < 5)
    )


_DETECTORS: tuple[BasePlugin, ...] = tuple(
    detector()
    for detector in get_mapping_from_secret_type_to_class().values()
    if not issubclass(detector, HighEntropyStringsPlugin | PrivateKeyDetector)
)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_CPU_SECONDS, _MOST_CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    files: dict[str, Lines] = json.load(sys.stdin)
    json.dump([finding for path, lines in files.items() for finding in findings(path, lines)], sys.stdout)


if __name__ == "__main__":
    main()
