"""The secrets scanner as it is run: what it finds, what it passes over, and that it says no secret."""

import string
import time

import pytest

from activities.git import scanning
from activities.git.patches import Line
from activities.git.scanning import ScanFailed, scanned
from tests.activities.git.secrets import AWS, GITHUB, PEM, made_up

MARK = "# pragma: allowlist" + " secret"


def lines(path: str, *texts: str) -> list[Line]:
    return [Line(f"+{text}".encode(), path, number) for number, text in enumerate(texts, start=1)]


FOUND = {
    "github": f'headers = {{"Authorization": "{GITHUB}"}}',
    "github, fine-grained": f"github_pat_{made_up(22)}_{made_up(59)}",
    "gitlab": f"CI_TOKEN: glpat-{made_up(20)}",
    "aws": f"key = '{AWS}'",
    "stripe": f"sk_live_{made_up(24)}",
    "slack": f"xoxb-{made_up(12, string.digits)}-{made_up(12, string.digits)}-{made_up(24)}",
    "anthropic": f"ANTHROPIC_API_KEY=sk-ant-api03-{made_up(93)}AA",
    "openai": f"sk-proj-{made_up(60)}",
    "google": f"?key=AIza{made_up(35)}",
    "npm": f"//registry.npmjs.org/:_authToken=npm_{made_up(36)}",
    "pypi": f"password = pypi-AgEIcHlwaS5vcmc{made_up(80)}",
    "modal": f"as-{made_up(10)}7X{made_up(10)}",
    "a password": f'PASSWORD = "{made_up(10)}7x{made_up(8)}"',
    "in a url": f"postgres://shop:{made_up(8)}7x{made_up(6)}@db.shop.io/shop",
}


@pytest.mark.parametrize("case", list(FOUND))
async def test_found(case: str) -> None:
    found = await scanned(lines("src/settings.py", "import os", FOUND[case]))
    assert {(secret.path, secret.line, secret.marked) for secret in found} == {("src/settings.py", 2, False)}
    assert not any(word in str(found) for word in FOUND[case].split() if len(word) > 12)


async def test_a_private_key_is_found_by_its_body() -> None:
    assert [(s.line, s.kind) for s in await scanned(lines("tests/key.pem", *PEM))] == [(1, "Private Key")]
    assert await scanned(lines("src/pem.py", f'BEGIN = "{PEM[0]}"', "def parse(text: str) -> None:")) == []


async def test_an_environment_file_needs_no_quotes() -> None:
    value = f"{made_up(10)}7x{made_up(8)}"
    assert len(await scanned(lines("deploy/.env.production", f"DB_PASSWORD={value}"))) == 1


PASSED_OVER = [
    'password = "test"',
    'login("ada", password="correct horse battery")',
    'PASSWORD = "changeme123"',
    '{"password": "Password", "token": token}',
    'secret = os.environ["SECRET_KEY_2"]',
    "API_KEY=${API_KEY}",
    'password = "<your password>"',
    "def test_the_secret_is_never_logged(secret: str) -> None:",
    "postgres://postgres:postgres@localhost/test",
    "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
    f'commit = "{made_up(40, "0123456789abcdef")}"',
    f"    --hash=sha256:{made_up(64, '0123456789abcdef')}",
    f'"integrity": "sha512-{made_up(86)}=="',
    f'<img src="data:image/png;base64,{made_up(300)}">',
    'key = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"',
    f"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ{made_up(200)}",
]


@pytest.mark.parametrize("line", PASSED_OVER, ids=range(len(PASSED_OVER)))
async def test_passed_over(line: str) -> None:
    assert await scanned(lines("tests/test_login.py", line)) == []


async def test_a_marker_is_reported_and_hides_nothing() -> None:
    above = "# pragma: allowlist nextline" + " secret"
    found = await scanned(lines("a.py", f"x = '{AWS}'  {MARK}", above, f"x = '{AWS}'", f"x = '{AWS}'"))
    assert [(secret.line, secret.marked) for secret in found] == [(1, True), (3, True), (4, False)]


async def test_a_secret_far_along_a_line_is_found() -> None:
    for before in (7_990, 8_000, 8_380, 150_000):
        assert len(await scanned(lines("app.min.js", f"{'x ' * (before // 2)}{GITHUB}{' y' * 9_000}"))) == 1, before


async def test_nothing_added_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning.sys, "executable", "/nowhere")
    assert await scanned([]) == []


async def test_a_scan_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_SECONDS", 0.05)
    began = time.monotonic()
    with pytest.raises(ScanFailed, match=r"took more than 0\.05 s"):
        await scanned(lines("a.py", "x = 1"))
    assert time.monotonic() - began < 5


async def test_a_scanner_that_fails_is_said_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_PROGRAM", "/nowhere.py")
    with pytest.raises(ScanFailed, match="ended with 2"):
        await scanned(lines("a.py", GITHUB))
