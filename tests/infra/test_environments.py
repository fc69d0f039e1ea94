"""Who sees which key: each part of a stack only its own."""

import pytest

from infra.settings import Settings
from infra.stack import Part, environment

INHERITED = {
    "PATH": "/bin",
    "ANTHROPIC_API_KEY": "a",
    "OPENAI_API_KEY": "b",
    "MODAL_TOKEN_SECRET": "c",
    "E2B_API_KEY": "d",
    "DAYTONA_API_KEY": "e",
    "RUNLOOP_API_KEY": "f",
    "NORTHFLANK_API_TOKEN": "g",
}


@pytest.mark.parametrize(("part", "keys"), [(Part.GATEWAY, "ab"), (Part.WORKER, "cdefg"), (Part.SERVER, "")])
def test_each_part_sees_its_own_keys_alone(part: Part, keys: str) -> None:
    seen = environment(Settings(), part, INHERITED)
    assert "".join(seen[name] for name in INHERITED if name in seen and name != "PATH") == keys
    assert seen["PATH"] == "/bin"
