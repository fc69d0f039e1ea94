"""WORKFLOW.md: policy under `pawl:` in its front matter, words for the agents below it."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from activities.context.texts import unusable
from activities.context.triage_keys import as_stored, slips
from infra.pages import BadPage, FrontMatter, Page
from workflows.domain.gates import HOW_TO_WRITE_TIME, Gates, require_names
from workflows.domain.globs import require_globs
from workflows.domain.images import readable_image
from workflows.domain.policy import MOST, PROVIDERS, Models, Policy

NAME = "WORKFLOW.md"
_OURS = "pawl"
_NOT_SETTABLE = frozenset({"source"})
_MOST_NAME_CHARS = 60
_PLAIN_WORDS = {
    "tuple_type": "Write a list: one `- ...` line each.",
    "model_type": "Write `key: value` lines below it.",
    "dict_type": "Write `key: value` lines below it.",
    "missing": "It is missing. Write it.",
}


class BadWorkflowFile(Exception):
    """Everything that is wrong with the file, a line each, with the line in the file and the key."""


class WorkflowFile(NamedTuple):
    policy: Policy
    prompt: str
    """The text below the front matter."""


class _Problem(NamedTuple):
    path: tuple[str | int, ...]
    says: str


def read_workflow_file(data: bytes) -> WorkflowFile:
    """Keys beside `pawl` belong to other programs and are left alone. Raises BadWorkflowFile, naming every problem."""
    try:
        page = Page.parse(data)
        values = page.head.values()
    except BadPage as error:
        raise BadWorkflowFile(f"{NAME} line {error.line}: {error.cause}") from error
    ours = values.get(_OURS)
    problems = list(_strange_top_keys(values))
    settings = _named_checks(cast("dict[str, object]", ours), "checks") if isinstance(ours, dict) else {}
    if isinstance(settings.get("triage"), dict):
        triage = _named_checks(cast("dict[str, object]", settings["triage"]), "commands")
        problems += _strange_triage(triage, settings.get("checks"))
        settings = settings | {"triage": as_stored(triage)}
    if ours is not None and not isinstance(ours, dict):
        problems.append(_Problem((_OURS,), _PLAIN_WORDS["model_type"]))
    problems += _unknown_keys(Policy, settings, (_OURS,))
    problems += _repeated_checks(settings.get("checks"), (_OURS, "checks"))
    problems += _unknown_models(settings.get("models"))
    problems += _unusable_texts(settings, (_OURS,))
    problems += _times_without_unit(settings.get("gates"))
    try:
        policy = Policy.model_validate({key: value for key, value in settings.items() if key not in _NOT_SETTABLE})
    except ValidationError as error:
        problems += [_Problem((_OURS, *detail["loc"]), _in_plain_words(detail)) for detail in error.errors()]
        policy = Policy()
    problems += _beyond_bounds(policy)
    problems += _strange_globs(policy)
    problems += _strange_image(policy)
    problems += _strange_gates(policy.gates)
    if problems:
        raise BadWorkflowFile(_told(problems, page.head))
    return WorkflowFile(policy, page.text.strip())


def _named_checks(settings: dict[str, object], key: str) -> dict[str, object]:
    """A check may be written as its command alone, which then is its name, too."""
    given = settings.get(key)
    if not isinstance(given, str | list):
        return settings
    checks = [given] if isinstance(given, str) else _listed(cast("object", given))
    return settings | {key: [_named(check) for check in checks]}


def _listed(values: object) -> list[object]:
    return cast("list[object]", values) if isinstance(values, list) else []


def _named(check: object) -> object:
    if isinstance(check, str):
        check = {"run": check}
    if not isinstance(check, dict):
        return check
    given = cast("dict[str, object]", check)
    run = given.get("run")
    if "name" in given or not isinstance(run, str):
        return given
    return {"name": run if len(run) <= _MOST_NAME_CHARS else f"{run[: _MOST_NAME_CHARS - 3]}...", **given}


def _strange_top_keys(values: Mapping[str, object]) -> Iterator[_Problem]:
    for key in values:
        if key != _OURS and key.strip().lower() == _OURS:
            yield _Problem((key,), f"Write {_OURS}, not {key}.")


def _unknown_keys(model: type[BaseModel], value: object, at: tuple[str | int, ...]) -> Iterator[_Problem]:
    """Keys below `pawl` that mean nothing: most are spelling mistakes, and a ceiling that is misspelled is none."""
    if not isinstance(value, dict):
        return
    known = [name for name in model.model_fields if name not in _NOT_SETTABLE]
    for key, inner in cast("dict[str, object]", value).items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            meant = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known)}."
            yield _Problem((*at, key), f"There is no such key. {meant}")
            continue
        annotation: Any = model.model_fields[key].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _unknown_keys(annotation, inner, (*at, key))
        elif isinstance(inner, list) and _item_model(annotation):
            for number, item in enumerate(cast("list[object]", inner)):
                yield from _unknown_keys(_item_model(annotation) or model, item, (*at, key, number))


def _item_model(annotation: Any) -> type[BaseModel] | None:
    items = [arg for arg in get_args(annotation) if isinstance(arg, type) and issubclass(arg, BaseModel)]
    return items[0] if items else None


def _repeated_checks(
    checks: object, at: tuple[str | int, ...], taken: Sequence[object] = (), what: str = "check"
) -> Iterator[_Problem]:
    seen = set(taken)
    for number, check in enumerate(_listed(checks)):
        given = cast("dict[str, object]", check) if isinstance(check, dict) else {}
        if isinstance(given.get("run"), str) and not str(given["run"]).strip():
            yield _Problem((*at, number, "run"), "It is empty. Write a command.")
        name = given.get("name")
        if isinstance(name, str) and name in seen:
            yield _Problem((*at, number, "name"), f"Another {what} is named {name}. Give it its own name.")
        seen.add(name if isinstance(name, str) else None)


def _unknown_models(models: object) -> Iterator[_Problem]:
    """Names without a provider we know. Whether the provider has such a model, only the gateway can tell."""
    given = cast("dict[str, object]", models) if isinstance(models, dict) else {}
    for role in Models.model_fields:
        yield from _unknown_model(given.get(role, ""), (_OURS, "models", role))


def _unknown_model(name: object, at: tuple[str | int, ...]) -> Iterator[_Problem]:
    if isinstance(name, str) and name:
        provider, _, model = name.partition(":")
        if provider not in PROVIDERS or not model.strip():
            meant = f"Write provider:model, with a provider of {', '.join(PROVIDERS)}."
            yield _Problem(at, f"{name[:60]!r} names no model. {meant}")


def _strange_triage(triage: dict[str, object], checks: object) -> Iterator[_Problem]:
    at = (_OURS, "triage")
    yield from (_Problem((*at, *path), says) for path, says in slips(triage))
    yield from _unknown_model(triage.get("model"), (*at, "model"))
    taken = [cast("dict[str, object]", one).get("name") for one in _listed(checks) if isinstance(one, dict)]
    yield from _repeated_checks(triage.get("commands"), (*at, "commands"), taken, "check or command")


def _unusable_texts(value: object, at: tuple[str | int, ...]) -> Iterator[_Problem]:
    """Texts that no command, variable or file name can hold."""
    if isinstance(value, str) and (why := unusable(value)):
        yield _Problem(at, f"It {why}.")
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            yield from _unusable_texts(inner, (*at, key))
    elif isinstance(value, list):
        for number, inner in enumerate(cast("list[object]", value)):
            yield from _unusable_texts(inner, (*at, number))


def _beyond_bounds(policy: Policy) -> Iterator[_Problem]:
    for key, most in MOST.items():
        if getattr(policy.sandbox, key) > most:
            yield _Problem((_OURS, "sandbox", key), f"Write {most:,} at most.")


def _strange_globs(policy: Policy) -> Iterator[_Problem]:
    """Looked at here and not in the model: what a ticket under way has stored stays readable."""
    try:
        require_globs(policy.sandbox.prepare.lock_files)
    except ValueError as error:
        yield _Problem((_OURS, "sandbox", "prepare", "lock_files"), f"{error}.")


def _strange_image(policy: Policy) -> Iterator[_Problem]:
    try:
        readable_image("" if unusable(policy.sandbox.image) else policy.sandbox.image)  # which was said already
    except ValueError as error:
        yield _Problem((_OURS, "sandbox", "image"), f"{error}.")


def _times_without_unit(gates: object) -> Iterator[_Problem]:
    """A bare number would be taken for seconds, and nothing at all for the default."""
    for gate, terms in (cast("dict[str, object]", gates) if isinstance(gates, dict) else {}).items():
        for key, time in (cast("dict[str, object]", terms) if isinstance(terms, dict) else {}).items():
            if key.endswith("_after") and not isinstance(time, str):
                yield _Problem((_OURS, "gates", gate, key), f"{HOW_TO_WRITE_TIME}.")


def _strange_gates(gates: Gates) -> Iterator[_Problem]:
    """Names that mean nobody: a gate that waits for them would wait for ever."""
    for gate in Gates.model_fields:
        terms = getattr(gates, gate)
        for key in ("who", "second"):
            try:
                require_names(getattr(terms, key) or ())
            except ValueError as error:
                yield _Problem((_OURS, "gates", gate, key), f"{error}.")
        if terms.second_after and not (terms.second or gates.default.second):
            yield _Problem((_OURS, "gates", gate, "second_after"), "Nobody is named to be asked. Write second, too.")


def _in_plain_words(detail: ErrorDetails) -> str:
    if detail["type"] in _PLAIN_WORDS:
        return _PLAIN_WORDS[detail["type"]]
    given = str(detail["input"])
    if "ctx" in detail and detail["type"] == "value_error":  # our own words, which name what was given
        return f"{str(detail['ctx']['error']).removesuffix('.')}."
    return f"{detail['msg']}, not {given[:40]!r}."


def _told(problems: Sequence[_Problem], head: FrontMatter) -> str:
    placed = sorted((head.line(problem.path), _key(problem.path), problem.says) for problem in problems)
    return "\n".join(f"{NAME} line {line}, key {key}: {says}" for line, key, says in placed)


def _key(path: Sequence[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
