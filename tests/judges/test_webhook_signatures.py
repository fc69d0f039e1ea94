"""Linear's and GitHub's own libraries and our doors take and refuse the same signatures, whoever signed."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from infra.ingress.door import Turned
from infra.ingress.github import GitHubDoor
from infra.ingress.linear import LinearDoor
from tests.infra.ingress import github_words, linear_words
from tests.judges.npm import ask

HERE = Path(__file__).parent


@pytest.mark.parametrize("secret", ["simple", "ключ \U0001f511 'quoted'", "x" * 500])
def test_linears_client_and_our_door_agree(secret: str) -> None:
    delivery = linear_words.comment_delivery("Grüße aus Łódź \U0001f980 @pawl \u2028")
    headers, body = linear_words.signed(delivery, secret)
    right = headers["linear-signature"]
    flipped = body.replace(b"ENG-1", b"ENG-2", 1)
    again = json.dumps(json.loads(body), indent=1).encode()
    tries = [
        (body, right),
        (flipped, right),
        (again, right),
        (body, right.upper()),
        (body, right[:-1]),
        (body, right[:-1] + ("0" if right[-1] != "0" else "1")),
        (body, ""),
        (body, "sha256=" + right),
    ]
    stamp: Any = delivery["webhookTimestamp"]
    answers = ask(
        HERE / "linear-webhooks",
        [
            {"body": base64.b64encode(sent).decode(), "secret": secret, "signature": signature, "timestamp": stamp}
            for sent, signature in tries
        ],
    )
    assert [answer["taken"] for answer in answers] == [True] + [False] * 7
    door = LinearDoor("linear", [secret])
    assert [takes(door, {"linear-signature": signature}, sent) for sent, signature in tries] == [True] + [False] * 7
    # The other way round: what Node signs, our door takes.
    for (sent, _), answer in zip(tries, answers, strict=True):
        assert takes(door, {"linear-signature": answer["signature"]}, sent)


@pytest.mark.parametrize("secret", ["simple", "ключ \U0001f511 'quoted'"])
def test_githubs_library_and_our_door_agree(secret: str) -> None:
    bodies = [(github_words.FOLDER / f"{name}.json").read_text() for name in github_words.EXAMPLES]
    bodies.append('{"zen": "Grüße \U0001f980"}')
    signatures = [github_words.signed("x", body.encode(), secret)[0]["x-hub-signature-256"] for body in bodies]
    wrong = [(bodies[0], signatures[1]), (bodies[0], signatures[0].upper()), (bodies[0], signatures[0][:-1])]
    tries = [*zip(bodies, signatures, strict=True), *wrong, (bodies[0], signatures[0].removeprefix("sha256="))]
    answers = ask(HERE / "github", [{"body": body, "secret": secret, "signature": said} for body, said in tries])
    expected = [True] * len(bodies) + [False] * 4
    assert [answer["taken"] for answer in answers] == expected
    door = GitHubDoor("github", [secret], login="pawl")
    assert [takes(door, {"x-hub-signature-256": said}, body.encode()) for body, said in tries] == expected
    for (body, _), answer in zip(tries, answers, strict=True):
        assert takes(door, {"x-hub-signature-256": answer["signature"]}, body.encode())


def takes(door: LinearDoor | GitHubDoor, headers: dict[str, str], body: bytes) -> bool:
    try:
        door.check(headers, body, time.time())
    except Turned:
        return False
    return True
