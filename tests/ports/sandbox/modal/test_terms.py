"""How names, labels and network rules are put to Modal, rule by rule."""

import re

import pytest
from grpclib.exceptions import StreamTerminatedError
from hypothesis import given
from hypothesis import strategies as st
from modal import exception

from activities.sandbox.modal_terms import Reach, from_tags, name_of, port_errors, reach, to_tags
from workflows.ports.sandbox import BadSpec, Capacity, Denied, Gone, PolicyUnsupported, SandboxError, Transient

MODAL_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
MODAL_TAG = re.compile(r"[A-Za-z0-9._-]{1,63}")
KEYS = st.from_regex(r"[A-Za-z0-9._-]{1,120}", fullmatch=True)


@given(KEYS, KEYS)
def test_every_key_has_a_name_of_its_own_that_modal_takes(one: str, other: str) -> None:
    assert MODAL_NAME.fullmatch(name_of("here", one))
    assert (name_of("here", one) == name_of("here", other)) is (one == other)
    assert name_of("here", one) != name_of("there", one)


def test_a_name_can_be_read_by_people() -> None:
    assert re.fullmatch(r"ENG-12-builder-[0-9a-f]{20}", name_of("here", "ENG-12-builder"))


@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True), st.text(max_size=200), max_size=4))
def test_labels_come_back_from_tags_as_they_were(labels: dict[str, str]) -> None:
    tags = to_tags(labels)
    assert all(MODAL_TAG.fullmatch(text) for pair in tags.items() for text in pair)
    assert from_tags(tags) == labels


def test_plain_labels_stay_plain() -> None:
    assert to_tags({"owner": "pawl", "ticket": "ENG-12"}) == {"owner": "pawl", "ticket": "ENG-12"}
    assert to_tags({"long": "x" * 70}) == {"long": "x" * 63, "long.2": "x" * 7}


@pytest.mark.parametrize("name", ["", "a.b", "pawl.key", "ticket id", "x" * 41])
def test_a_label_that_can_be_no_tag_is_refused(name: str) -> None:
    with pytest.raises(BadSpec, match="Modal takes no tag with the name"):
        to_tags({name: "x"})


@pytest.mark.parametrize(
    ("allowlist", "expected"),
    [
        ((), Reach(blocked=True)),
        (("pypi.org",), Reach(domains=("pypi.org",), blocks=())),
        (("PyPI.org.", "files.pythonhosted.org:443"), Reach(domains=("pypi.org", "files.pythonhosted.org"), blocks=())),
        (("*.example.org", "example.org"), Reach(domains=("*.example.org", "example.org"), blocks=())),
    ],
)
def test_an_allowlist_in_modals_terms(allowlist: tuple[str, ...], expected: Reach) -> None:
    assert reach(allowlist, every_port=False) == expected


@pytest.mark.parametrize(
    ("allowlist", "cause"),
    [
        (("pypi.org:80",), "encrypted connections to port 443 only"),
        (("pypi.org", "db.example.org:5432"), r"db\.example\.org:5432"),
        (("*.example.org",), r"also opens example\.org itself"),
        (("*.example.org", "*.a.example.org", "a.example.org"), r"Add example\.org"),
        (("203.0.113.7",), r"203\.0\.113\.7 names 80 and 443 only"),
        (("pypi.org", "203.0.113.7:443"), "opens every port of an allowed address"),
        (("[2001:db8::1]:443",), "opens every port"),
    ],
)
def test_what_modal_would_open_wider_is_refused(allowlist: tuple[str, ...], cause: str) -> None:
    with pytest.raises(PolicyUnsupported, match=cause):
        reach(allowlist, every_port=False)


def test_addresses_are_allowed_where_every_port_is_accepted() -> None:
    allowlist = ("gateway.example.org:443", "203.0.113.7:443", "198.51.100.0/24")
    assert reach(allowlist, every_port=True) == Reach(
        domains=("gateway.example.org",), blocks=("203.0.113.7/32", "198.51.100.0/24")
    )
    with pytest.raises(PolicyUnsupported, match="port 443 only"):
        reach(("203.0.113.7", "pypi.org:80"), every_port=True)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (exception.NotFoundError("gone"), Gone),
        (exception.ConflictError("Sandbox already finished"), Gone),
        (exception.SandboxTimeoutError(), Gone),
        (exception.SandboxTerminatedError(), Gone),
        (exception.ResourceExhaustedError("full"), Capacity),
        (exception.AuthError("no token"), Denied),
        (exception.PermissionDeniedError("not yours"), Denied),
        (exception.InvalidError("bad option"), BadSpec),
        (exception.UnimplementedError("no such call"), BadSpec),
        (exception.ServiceError("try again"), Transient),
        (exception.InternalError("oops"), Transient),
        (exception.ConnectionError("no route"), Transient),
        (exception.TimeoutError("too long"), Transient),
        (exception.ClientClosed("detached"), Transient),
        (exception.RemoteError("unknown to us"), Transient),
        (ConnectionResetError("reset"), Transient),
        (StreamTerminatedError("Connection lost"), Transient),
        (TimeoutError(), Transient),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_errors_of_the_client_in_the_ports_terms(raised: Exception, expected: type[SandboxError]) -> None:
    with pytest.raises(expected, match="Modal cannot do it: ") as error, port_errors("Modal cannot do it"):
        raise raised
    assert type(error.value) is expected
    assert error.value.__cause__ is raised


def test_wrong_credentials_say_what_to_check() -> None:
    with (
        pytest.raises(Denied, match=r"^It failed: Token missing\. Check MODAL_TOKEN_ID and MODAL_TOKEN_SECRET"),
        port_errors("It failed"),
    ):
        raise exception.AuthError("Token missing.")
