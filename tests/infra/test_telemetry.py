"""What leaves a process in logs: fields that say whose step it is, and never a key."""

import json
import logging
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from infra.telemetry import JsonLines, redacted, set_up
from workflows.domain.tokens import run_token

ROOT = Path(__file__).resolve().parents[2]
# Put together here, so that no scanner takes this file for a leak.
KEYS = [
    "sk-" + "ant-api03-" + "a1B2" * 8,
    "sk-" + "proj-" + "Zz9_" * 8,
    "ghp" + "_" + "a" * 36,
    "github" + "_pat_" + "b" * 40,
    "lin" + "_api_" + "c" * 32,
    "xoxb" + "-123456789012-abcdef",
    "AKIA" + "ABCDEFGHIJKLMNOP",
    run_token("secret", "ENG-1.abc.builder1"),
]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:6])
def test_anything_like_a_key_is_taken_out(key: str) -> None:
    said = redacted(f"calling with {key} now")
    assert key not in said
    assert said.startswith("calling with [redacted]")
    assert said.endswith(" now")


def test_credentials_in_urls_and_headers_are_taken_out() -> None:
    assert redacted("postgresql://pawl:hunter2@db/pawl") == "postgresql://[redacted]@db/pawl"
    assert redacted("Authorization: Bearer abcdefghijklmnop") == "Authorization: Bearer [redacted]"


@pytest.mark.parametrize(
    "text", ["task-ENG-1234567890123456", "sha256:" + "0" * 64, "a skill is a skill", "http://h:1/p"]
)
def test_what_is_no_key_stays(text: str) -> None:
    assert redacted(text) == text


def test_a_line_names_ticket_session_step_and_attempt() -> None:
    record = logging.LogRecord("temporalio.activity", logging.WARNING, "f", 1, "it %s", ("failed",), None)
    record.temporal_activity = {"workflow_id": "session:ENG-1.abc.builder1", "activity_type": "take_turn", "attempt": 2}
    record.turn = 7
    line = json.loads(JsonLines().format(record))
    at = line.pop("at")
    assert at.endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "temporalio.activity",
        "message": "it failed",
        "session": "ENG-1.abc.builder1",
        "step": "take_turn",
        "attempt": 2,
        "turn": 7,
    }


def test_a_ticket_is_named_by_its_key() -> None:
    record = logging.LogRecord("temporalio.workflow", logging.INFO, "f", 1, "on it", (), None)
    record.temporal_workflow = {"workflow_id": "ticket:board:ENG-1", "workflow_type": "Ticket"}
    assert json.loads(JsonLines().format(record))["ticket"] == "board:ENG-1"


def test_without_a_collector_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    telemetry = set_up("pawl-test")
    assert telemetry.plugins == []
    telemetry.shut_down()


class Collector(BaseHTTPRequestHandler):
    """Takes what is exported and remembers where it was sent."""

    paths: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.paths.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Say nothing."""


def test_with_a_collector_spans_and_metrics_arrive_before_the_process_ends() -> None:
    work = (
        "from opentelemetry import metrics, trace; from infra.telemetry import set_up; t = set_up('pawl-test'); "
        "trace.get_tracer('t').start_span('s').end(); metrics.get_meter('m').create_counter('c').add(1); t.shut_down()"
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "NO_PROXY": "127.0.0.1"}
        subprocess.run([sys.executable, "-c", work], env=env, cwd=ROOT, check=True, timeout=60)
        server.shutdown()
    assert {"/v1/traces", "/v1/metrics"} <= set(Collector.paths)


def test_without_a_collector_nothing_of_it_is_loaded() -> None:
    look = "import sys, worker, activities.errands; print([name for name in sys.modules if 'etry.sdk' in name])"
    words = [sys.executable, "-c", look]
    seen = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
    assert seen.stdout == "[]\n"
