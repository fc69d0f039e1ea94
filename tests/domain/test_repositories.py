"""One repository has one key, and two have two."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.domain.repositories import repository_key

SAME = [
    (
        "https://github.com/acme/shop",
        "https://github.com/acme/shop/",
        "https://github.com/Acme/Shop.git",
        "https://ada@github.com/acme/shop",
        "https://GitHub.com:443/acme/shop.git",
        "ssh://git@github.com/acme/shop.git",
        "ssh://git@github.com:22/acme/shop.git",
        "git@github.com:acme/shop.git",
        "github.com:acme/shop",
        "git@github.com:/acme/shop",
        " https://github.com/acme/shop ",
        "https://github.com/acme/shop/.git",
        "https://www.github.com/acme/shop",
        "ssh://git@ssh.github.com:443/acme/shop.git",
        "git@ssh.github.com:443/acme/shop",
        "git@ssh.github.com:acme/shop.git",
    ),
    ("/srv/shop", "/srv/shop/", "/srv/shop/.git", "file:///srv/shop", "file:///srv/shop/"),
    ("/srv/My Shop", "file:///srv/My%20Shop"),
]


@pytest.mark.parametrize("spellings", SAME)
def test_however_it_is_written_it_is_the_same(spellings: tuple[str, ...]) -> None:
    assert len({repository_key(spelling) for spelling in spellings}) == 1


def test_what_is_not_the_same_has_another_key() -> None:
    others = (
        "https://github.com/acme/shop2",
        "https://github.com/acne/shop",
        "https://gitlab.com/acme/shop",
        "https://github.com:8443/acme/shop",
        "https://evil.example/www.github.com/acme/shop",
        "https://ssh.github.com.evil.example/acme/shop",
        "/srv/shop",
        "/srv/Shop",
        "/srv/shop.git",
        "/",
    )
    assert len({repository_key(one) for one in (*others, SAME[0][0])}) == len(others) + 1


@pytest.mark.parametrize(
    ("repository", "starts"),
    [
        ("https://github.com/acme/shop.git", "shop-"),
        ("/srv/My Shop", "My-Shop-"),
        ("/srv/shop.js", "shop-js-"),
        ("/", "repository-"),
    ],
)
def test_a_key_can_be_read(repository: str, starts: str) -> None:
    assert repository_key(repository).startswith(starts)


@given(repository=st.text(min_size=1, max_size=80))
def test_a_key_is_always_a_plain_name(repository: str) -> None:
    key = repository_key(repository.encode(errors="replace").decode())
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}", key)
