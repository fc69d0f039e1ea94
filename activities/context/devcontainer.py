"""devcontainer.json: the part that is safe and means the same everywhere (containers.dev, Dev Container metadata)."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, cast

import json5

from activities.context.texts import unusable
from workflows.domain.environment import Devcontainer
from workflows.domain.images import readable_image
from workflows.domain.shown import code

_COMMANDS = ("onCreateCommand", "updateContentCommand", "postCreateCommand")
"""In the order they run. What comes later in a container's life is for editors."""
_VARIABLES = ("containerEnv", "remoteEnv")
_REFUSED = {
    "initializeCommand": "it runs on the host",
    "privileged": "it opens the host to the container",
    "capAdd": "it widens what the container may do",
    "securityOpt": "it lifts protection",
    "runArgs": "it can lift any protection",
    "mounts": "it shows host folders",
    "workspaceMount": "it shows host folders",
    "dockerComposeFile": "it starts further containers",
    "build": "images are not built from the repository",
    "dockerFile": "images are not built from the repository",
    "features": "they run installers as root",
}
_LEFT_OUT = {
    "workspaceFolder": "the checkout is at /work/repo",
    "hostRequirements": "set pawl.sandbox.cpus and memory_mb in WORKFLOW.md",
    "remoteUser": "commands run as the sandbox's own user",
    "containerUser": "commands run as the sandbox's own user",
}
_FOR_EDITORS = (
    *("$schema", "name", "customizations", "extensions", "settings"),
    *("forwardPorts", "appPort", "portsAttributes", "otherPortsAttributes"),
    *("init", "overrideCommand", "shutdownAction", "updateRemoteUserUID", "userEnvProbe"),
    *("postStartCommand", "postAttachCommand", "waitFor"),
)
"""What says nothing about the tools of commands."""
_MOST_NAMED = 10
_MOST_CHARS = 256 * 1024


class BadDevcontainer(Exception):
    """What is wrong with the file, for people."""


def read_devcontainer(text: str) -> Devcontainer:
    """Raises BadDevcontainer for what cannot be read, and for every key that asks for more than a sandbox gives."""
    settings = _settings(text)
    dangerous = [key for key in _REFUSED if settings.get(key)]
    if dangerous:
        reasons = "; ".join(f"{key}: {_REFUSED[key]}" for key in dangerous)
        raise BadDevcontainer(f"It asks for what no sandbox of Pawl gives. {reasons}.")
    notes = [f"{key} is left out: {_LEFT_OUT[key]}." for key in _LEFT_OUT if key in settings]
    notes += _unknown_keys(settings)
    variables, unknown = _split(_variables(settings))
    notes += [f"The variable {code(name)} is left out: it is taken from the host or the container." for name in unknown]
    return Devcontainer(
        image=_image(settings),
        variables=variables,
        commands=tuple(line for key in _COMMANDS for line in _lines(key, settings.get(key))),
        notes=tuple(notes),
    )


def _unknown_keys(settings: Mapping[str, object]) -> list[str]:
    """Names are taken letter by letter, as editors do: `Privileged` is none of theirs, and is told here."""
    known = {"image", *_COMMANDS, *_VARIABLES, *_REFUSED, *_LEFT_OUT, *_FOR_EDITORS}
    unknown = [code(key[:60]) for key in settings if key not in known]
    if not unknown:
        return []
    more = len(unknown) - _MOST_NAMED
    named = ", ".join(unknown[:_MOST_NAMED] + ([f"{more:,} more"] if more > 0 else []))
    return [f"Left out, because Pawl knows no such key of a devcontainer.json: {named}."]


def _settings(text: str) -> dict[str, Any]:
    if len(text) > _MOST_CHARS:
        raise BadDevcontainer(f"It is longer than {_MOST_CHARS:,} characters.")
    try:
        read: object = json5.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadDevcontainer(f"It is no JSON with comments: {error}") from error
    if not isinstance(read, dict):
        raise BadDevcontainer("It holds no object. Write `{ ... }`.")
    return cast("dict[str, Any]", read)


def _text(settings: Mapping[str, object], key: str) -> str:
    value = settings.get(key, "")
    if not isinstance(value, str):
        raise BadDevcontainer(f"{key} is no text.")
    _require_usable(key, value)
    return value


def _image(settings: Mapping[str, object]) -> str:
    try:
        return readable_image(_text(settings, "image"))
    except ValueError as error:
        raise BadDevcontainer(f"image: {error}.") from error


def _variables(settings: Mapping[str, object]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in _VARIABLES:
        given = settings.get(key)
        if given is not None and not isinstance(given, dict):
            raise BadDevcontainer(f"{key} is no object of names and values.")
        for name, value in cast("dict[str, object]", given or {}).items():
            _require_name(key, name)
            if isinstance(value, str):
                _require_usable(f"{key}.{name}", value)
                found[name] = value
            elif value is None:  # takes a variable away again
                found.pop(name, None)
            else:
                raise BadDevcontainer(f"{key}.{name} is no text.")
    return found


def _require_name(key: str, name: str) -> None:
    if not name or "=" in name or not name.isprintable():
        raise BadDevcontainer(
            f"{key} has the name {code(name[:60])}. Names of variables are not empty and hold no `=`."
        )


def _require_usable(key: str, text: str) -> None:
    if why := unusable(text):
        raise BadDevcontainer(f"{key} {why}.")


def _split(variables: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Those with a plain value, and the names of those that are made from something we do not have."""
    plain = {name: value for name, value in variables.items() if "${" not in value}
    return plain, [name for name in variables if name not in plain]


def _lines(key: str, command: object) -> Iterator[str]:
    """A command as its file may write it: a shell line, a list of words, or an object of several commands."""
    match command:
        case None | "" | []:
            return
        case str():
            _require_usable(key, command)
            yield command
        case list() if all(isinstance(word, str) for word in cast("list[object]", command)):
            yield from _lines(key, shlex.join(cast("list[str]", command)))
        case dict():
            for name, inner in cast("dict[str, object]", command).items():
                yield from _lines(f"{key}.{name}", inner)
        case _:
            raise BadDevcontainer(f"{key} is neither a command nor a list of words.")
