"""What processes tell about themselves: traces and metrics over OTLP when a collector is configured, and log lines
that machines can read and that hold no keys."""

import json
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, cast

from temporalio import activity, workflow
from temporalio.client import Plugin

_KEYS = re.compile(
    r"""
    \b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}            # OpenAI, Anthropic and many that copied the form
    | \b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{20,} # GitHub
    | \bgithub_pat_[A-Za-z0-9_]{20,}
    | \blin_(?:api|oauth)_[A-Za-z0-9]{16,}       # Linear
    | \bxox[a-z]-[A-Za-z0-9-]{10,}               # Slack
    | \bAKIA[A-Z0-9]{16}\b                       # AWS
    | \bAIza[A-Za-z0-9_-]{30,}                   # Google
    | \bpawl\.[A-Za-z0-9_-]+\.[0-9a-f]{64}\b     # our own run tokens
    | \beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*  # JSON web tokens
    | (?<=://)[^/\s:@]+:[^/\s@]+(?=@)            # user:password in a URL
    | (?i:(?<=bearer\s))[A-Za-z0-9._~+/=-]{12,}
    """,
    re.VERBOSE,
)


def redacted(text: str) -> str:
    """The text without anything that looks like a key."""
    return _KEYS.sub("[redacted]", text)


class Exporter(Protocol):
    def shutdown(self) -> None: ...


@dataclass
class Telemetry:
    """What `set_up` started: `plugins` go to the Temporal client, `shut_down` sends what is left."""

    plugins: list[Plugin] = field(default_factory=list[Plugin])
    _exporters: Sequence[Exporter] = ()

    def shut_down(self) -> None:
        for exporter in self._exporters:
            exporter.shutdown()


def set_up(service: str) -> Telemetry:
    """Send traces and metrics to `OTEL_EXPORTER_OTLP_ENDPOINT`; without it do nothing and cost nothing.

    Trace context travels with every start and signal, so that a ticket's steps are one trace of short spans. Temporal's
    own spans are left out: the one around a workflow would appear only when the ticket ends, perhaps days later.
    """
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return Telemetry()
    from infra.otlp import exporting

    plugins, exporters = exporting(service)
    return Telemetry(plugins, exporters)


def log_to_stderr(level: int = logging.INFO) -> None:
    """One JSON object per line, or plain lines in a terminal; redacted either way."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Plain() if sys.stderr.isatty() else JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    activity.logger.activity_info_on_message = False  # the fields below say it better
    workflow.logger.workflow_info_on_message = False
    for chatty in ("httpx", "httpx2", "httpcore", "temporalio.worker"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))


class JsonLines(logging.Formatter):
    """Time, level, logger, message and, where a record knows them, ticket, session, turn, step and attempt."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_whose(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return redacted(json.dumps(line, default=str, ensure_ascii=False))


class _Plain(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def _whose(record: logging.LogRecord) -> dict[str, object]:
    """Whose step a record tells of: from the fields that Temporal's loggers add, or that the caller gave as `extra`."""
    known: dict[str, object] = {}
    for name in ("temporal_activity", "temporal_workflow"):
        details: object = getattr(record, name, None)
        if isinstance(details, Mapping):
            known |= _from_temporal(cast("Mapping[str, object]", details))
    given = {name: getattr(record, name) for name in ("ticket", "session", "turn") if hasattr(record, name)}
    return known | given


def _from_temporal(details: Mapping[str, object]) -> dict[str, object]:
    owner, _, key = str(details.get("workflow_id", "")).partition(":")
    fields = {
        owner if owner in ("ticket", "session") else "workflow": key or owner,
        "step": details.get("activity_type"),
        "attempt": details.get("attempt"),
    }
    return {name: value for name, value in fields.items() if value}
