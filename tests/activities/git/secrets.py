"""Things that look like secrets, made up while the tests run: none stands in a file, where scanners would find it."""

import random
import string

_DICE = random.Random(20_261_121)
_LETTERS = string.ascii_letters + string.digits


def made_up(length: int, letters: str = _LETTERS) -> str:
    return "".join(_DICE.choice(letters) for _ in range(length))


GITHUB = f"ghp_{made_up(36)}"
AWS = "AKIA" + made_up(16, string.ascii_uppercase + "234567")
PEM = ["-----BEGIN RSA " + "PRIVATE KEY-----", *(made_up(64) for _ in range(4)), "-----END RSA PRIVATE KEY-----"]
