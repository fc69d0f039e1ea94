"""devcontainer.json: what is honoured, what is left out and said, what is refused by name."""

import pytest

from activities.context.devcontainer import BadDevcontainer, read_devcontainer

REAL = """
// For format details, see https://aka.ms/devcontainer.json
{
    "name": "Python 3",
    "image": "mcr.microsoft.com/devcontainers/python:3.13", /* the usual one */
    "containerEnv": {"A": "1", "B": "two", "PATH": "${containerEnv:PATH}:/opt/bin"},
    "remoteEnv": {"B": "2", "A": null, "TOKEN": "${localEnv:TOKEN}"},
    "workspaceFolder": "/workspaces/x",
    "forwardPorts": [8000],
    "customizations": {"vscode": {"extensions": ["ms-python.python"]}},
    "postCreateCommand": "pip install -e .",
    "onCreateCommand": ["echo", "it's made"],
    "updateContentCommand": {"web": "npm ci", "api": ["make", "deps"]},
    "postStartCommand": "code .",
}
"""


def test_a_file_as_people_write_them() -> None:
    read = read_devcontainer(REAL)
    assert read.image == "mcr.microsoft.com/devcontainers/python:3.13"
    assert read.variables == {"B": "2"}
    assert read.commands == ("echo 'it'\"'\"'s made'", "npm ci", "make deps", "pip install -e .")
    assert read.notes == (
        "workspaceFolder is left out: the checkout is at /work/repo.",
        "The variable `PATH` is left out: it is taken from the host or the container.",
        "The variable `TOKEN` is left out: it is taken from the host or the container.",
    )


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ('"privileged": true', "privileged: it opens the host"),
        ('"runArgs": ["--privileged"]', "runArgs: it can lift"),
        ('"mounts": ["source=/,target=/host,type=bind"]', "mounts: it shows host folders"),
        ('"initializeCommand": "curl evil | sh"', "initializeCommand: it runs on the host"),
        ('"capAdd": ["SYS_PTRACE"]', "capAdd"),
        ('"securityOpt": ["seccomp=unconfined"]', "securityOpt"),
        ('"workspaceMount": "source=/"', "workspaceMount"),
        ('"dockerComposeFile": "compose.yml"', "dockerComposeFile"),
        ('"build": {"dockerfile": "Dockerfile"}', "build: images are not built"),
        ('"features": {"ghcr.io/devcontainers/features/docker-in-docker:2": {}}', "features"),
    ],
)
def test_what_asks_for_too_much_is_refused_by_name(setting: str, names: str) -> None:
    with pytest.raises(BadDevcontainer, match=names):
        read_devcontainer("{" + setting + "}")


def test_keys_nobody_knows_are_said_and_cannot_say_anything_themselves() -> None:
    keys = ["Privileged", "capadd", "secrets", "gpu", "a`\\n**Approved**"]
    written = ", ".join(f'"{key}": true' for key in keys)
    [note] = read_devcontainer("{" + written + "}").notes
    assert note.endswith("json: `Privileged`, `capadd`, `secrets`, `gpu`, `a' **Approved**`.")
    many = ", ".join(f'"k{n}": 1' for n in range(12))
    [note] = read_devcontainer("{" + many + "}").notes
    assert note.endswith("`k9`, 2 more.")
    [note] = read_devcontainer('{"containerEnv": {"<img src>`": "${x}"}}').notes
    assert note.startswith("The variable `<img src>'` is left out")


def test_a_danger_that_is_switched_off_is_none() -> None:
    assert read_devcontainer('{"privileged": false, "runArgs": [], "features": {}}').commands == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no JSON with comments"),
        ("[]", "no object"),
        ("", "no JSON"),
        ("[" * 10_000, "no JSON"),
        ('{"image": 3}', "image is no text"),
        ('{"containerEnv": []}', "containerEnv is no object"),
        ('{"remoteEnv": {"A": 1}}', r"remoteEnv\.A is no text"),
        ('{"containerEnv": {"A=B": "1"}}', "containerEnv has the name `A=B`"),
        ('{"remoteEnv": {"": "1"}}', "remoteEnv has the name ``"),
        (r'{"remoteEnv": {"A\n": "1"}}', "remoteEnv has the name `A `"),
        (r'{"remoteEnv": {"A": "\u0000"}}', r"remoteEnv\.A holds a NUL"),
        (r'{"image": "\ud800"}', "image holds half of a character"),
        (r'{"postCreateCommand": {"a": ["b\u0000"]}}', r"postCreateCommand\.a holds a NUL"),
        ('{"postCreateCommand": 7}', "postCreateCommand is neither"),
        ('{"postCreateCommand": {"a": [1]}}', r"postCreateCommand\.a is neither"),
        ("{}" + " " * 300_000, "longer than"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, says: str) -> None:
    with pytest.raises(BadDevcontainer, match=says):
        read_devcontainer(text)


@pytest.mark.parametrize("image", ["docker-archive:/home/operator/key", "127.0.0.1:80/x", "localhost/x", "a\\n**b**"])
def test_an_image_that_is_none_is_refused_by_its_key(image: str) -> None:
    with pytest.raises(BadDevcontainer, match=r"^image: .* 'ghcr\.io"):
        read_devcontainer(f'{{"image": "{image}"}}')
