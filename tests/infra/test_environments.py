"""Who sees which key: each part of a stack only its own."""

from pathlib import Path

import pytest

from infra.parts import Part, environment
from infra.settings import Settings

INHERITED = {
    "PATH": "/bin",
    "ANTHROPIC_API_KEY": "a",
    "OPENAI_API_KEY": "b",
    "MODAL_TOKEN_SECRET": "c",
    "E2B_API_KEY": "d",
    "DAYTONA_API_KEY": "e",
    "RUNLOOP_API_KEY": "f",
    "NORTHFLANK_API_TOKEN": "g",
    "LINEAR_API_KEY": "h",
    "LINEAR_WEBHOOK_SECRET": "i",
    "PAWL_GITHUB_TOKEN": "j",
    "SLACK_BOT_TOKEN": "k",
    "ACME_KEY": "l",
    "ACME_HOOK": "m",
}
FILE = """
[connections.acme]
kind = "linear"
key_env = "ACME_KEY"
webhook_secret_env = "ACME_HOOK"
"""


@pytest.mark.parametrize(
    ("part", "keys"),
    [(Part.GATEWAY, "ab"), (Part.WORKER, "cdefgjl"), (Part.INGRESS, "m"), (Part.SERVER, "")],
)
def test_each_part_sees_its_own_keys_alone(part: Part, keys: str, tmp_path: Path) -> None:
    (tmp_path / "connections.toml").write_text(FILE)
    seen = environment(Settings(home=tmp_path), part, INHERITED)
    assert "".join(seen[name] for name in INHERITED if name in seen and name != "PATH") == keys
    assert seen["PATH"] == "/bin"
