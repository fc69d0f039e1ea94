import pytest

from workflows.domain.images import in_full, readable_image

DIGEST = f"@sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "registry", "name"),
    [
        ("python", "docker.io", "library/python"),
        ("python:3.13-bookworm", "docker.io", "library/python:3.13-bookworm"),
        ("docker:24", "docker.io", "library/docker:24"),
        ("dir:x", "docker.io", "library/dir:x"),
        (f"python{DIGEST}", "docker.io", f"library/python{DIGEST}"),
        ("jupyter/base-notebook", "docker.io", "jupyter/base-notebook"),
        ("mcr.microsoft.com/devcontainers/python:1-3.12", "mcr.microsoft.com", "devcontainers/python:1-3.12"),
        (f"GHCR.io/a/b__c:v1{DIGEST}", "ghcr.io", f"a/b__c:v1{DIGEST}"),
        ("registry.example.org:5000/a", "registry.example.org:5000", "a"),
    ],
)
def test_a_registry_and_a_name(text: str, registry: str, name: str) -> None:
    assert in_full(text) == (registry, name)
    assert readable_image(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "docker-archive:/home/operator/.ssh/id_ed25519",
        "docker-archive:../x",
        "dir:/etc",
        "dir:5000/etc",
        "oci:./images",
        "containers-storage:[/var/lib]x",
        "docker://python",
        "http://127.0.0.1:80/x",
        "127.0.0.1:8080/latest/meta-data:x",
        "169.254.169.254/latest",
        "2130706433:80/x",
        "0x7f.1/x",
        "[::1]:80/x",
        "localhost/pawl-abc:0123456789abcdef",
        "localhost:5000/x",
        "registry:5000/x",
        "python:3.13#snapshot",
        "snapshot:abc/def",
        "--privileged",
        "-v",
        "../x",
        "a//b",
        "a b",
        "a\n**Approved**",
        "python:\u202e3",
        "a" * 401,
    ],
)
def test_what_names_no_image(text: str) -> None:
    with pytest.raises(ValueError, match="image"):
        readable_image(text)


def test_no_image_is_the_providers_own() -> None:
    assert readable_image("") == ""
