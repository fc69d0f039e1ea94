"""How a pull request is named where news of it arrive."""

import pytest

from workflows.domain.pull import reference


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/acme/hinge/pull/12", "acme/hinge#12"),
        ("https://git.acme.com/forge/acme/hinge/pulls/3/", "acme/hinge#3"),
        ("file:///home/ada/.pawl/acme/hinge/pulls/3", ""),
        ("https://github.com/acme/hinge/issues/12", ""),
        ("https://github.com/hinge/pull/12", ""),
        ("", ""),
    ],
)
def test_a_pull_request_is_named_as_webhooks_name_it(url: str, expected: str) -> None:
    assert reference(url) == expected
