"""What Slack refuses in a message or a modal, by its published limits, and whom a text would call."""

import json
import re
from typing import Any

Json = dict[str, Any]

CALLS = re.compile(r"<!(?:channel|here|everyone|subteam)|<@[UW]|<#C")
NAMES = re.compile(r"(?<!\w)@(?:channel|here|everyone)\b")


def parts(thing: Json, name: str) -> list[Any]:
    found: list[Any] = thing.get(name) or []
    return found


class No(Exception):
    """`ok: false` with this code."""

    def __init__(self, code: str, why: str = "") -> None:
        super().__init__(code)
        self.code, self.why = code, why


def user_object(user: str, name: str, team: str = "T0PAWL", **marks: bool) -> Json:
    """Somebody as users.info tells of them, with the marks that make them no ordinary member."""
    about: Json = {"id": user, "team_id": team, "name": name, "deleted": False, "real_name": name.title()}
    about["profile"] = {"real_name": name.title(), "display_name": name, "team": team}
    if marks.get("deleted"):  # Slack then leaves out most of it
        return about | {"is_bot": False, "is_app_user": False, "updated": 1502138686} | marks
    ranks = ("is_admin", "is_owner", "is_primary_owner", "is_restricted", "is_ultra_restricted", "is_bot")
    return about | dict.fromkeys((*ranks, "is_app_user"), False) | {"updated": 1502138686} | marks


def check_message(asked: Json) -> None:
    text, blocks = asked.get("text") or "", parts(asked, "blocks")
    if not text and not blocks:
        raise No("no_text")
    if len(text) > 40_000:
        raise No("msg_too_long")
    check_blocks(blocks, 50)
    if "metadata" in asked:
        metadata: Json = asked["metadata"]
        if not isinstance(metadata.get("event_payload"), dict) or not metadata.get("event_type"):
            raise No("invalid_metadata_format")
        if len(json.dumps(metadata["event_payload"], ensure_ascii=False).encode()) > 8_000:
            raise No("metadata_too_large")  # Slack names no figure: one that is surely small enough


def check_blocks(blocks: list[Json], most: int) -> None:
    if len(blocks) > most:
        raise No("invalid_blocks", f"no more than {most} items allowed")
    ids = [block["block_id"] for block in blocks if block.get("block_id")]
    if len(ids) != len(set(ids)) or any(len(one) > 255 for one in ids):
        raise No("invalid_blocks", "block_id")
    for block in blocks:
        _CHECKS.get(block.get("type", ""), _unknown)(block)


def _unknown(block: Json) -> None:
    raise No("invalid_blocks", f"unsupported type: {block.get('type')}")


def _text(thing: Json | None, most: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> None:
    if thing is None or thing.get("type") not in kinds:
        raise No("invalid_blocks", "text object")
    if not 1 <= len(thing.get("text") or "") <= most:
        raise No("invalid_blocks", f"must be between 1 and {most} characters")
    if thing["type"] == "plain_text" and "verbatim" in thing:
        raise No("invalid_blocks", "verbatim is for mrkdwn")


def _section(block: Json) -> None:
    _text(block.get("text"), 3_000)


def _context(block: Json) -> None:
    if not 1 <= len(parts(block, "elements")) <= 10:
        raise No("invalid_blocks", "elements")
    for element in block["elements"]:
        _text(element, 3_000)


def _actions(block: Json) -> None:
    elements = parts(block, "elements")
    names = [element.get("action_id") for element in elements]
    if not 1 <= len(elements) <= 25 or len(names) != len(set(names)):
        raise No("invalid_blocks", "elements")
    for element in elements:
        assert element["type"] == "button", "no other element is part of the double"
        _text(element.get("text"), 75, ("plain_text",))
        if len(element.get("value") or "") > 2_000 or len(element.get("action_id") or "") > 255:
            raise No("invalid_blocks", "value")
        if element.get("style", "primary") not in ("primary", "danger"):
            raise No("invalid_blocks", "style")


def _input(block: Json) -> None:
    _text(block.get("label"), 2_000, ("plain_text",))
    element = block["element"]
    assert element["type"] == "plain_text_input", "no other element is part of the double"
    if not 1 <= int(element.get("max_length", 3_000)) <= 3_000:
        raise No("invalid_blocks", "max_length")


_CHECKS = {"section": _section, "context": _context, "actions": _actions, "input": _input}


def check_view(view: Json) -> None:
    if view.get("type") != "modal" or len(view.get("private_metadata") or "") > 3_000:
        raise No("invalid_arguments", "private_metadata")
    for name in ("title", "submit", "close"):
        if view.get(name) is not None:
            _text(view[name], 24, ("plain_text",))
    inputs = [block for block in parts(view, "blocks") if block.get("type") == "input"]
    if "title" not in view or (inputs and "submit" not in view):
        raise No("invalid_arguments", "title, submit")
    check_blocks(view["blocks"], 100)


def called_by(asked: Json) -> bool:
    """Whether a message would call people, by Slack's own rules of parsing."""
    text = asked.get("text") or ""
    if CALLS.search(text) or ((asked.get("parse") == "full" or asked.get("link_names")) and NAMES.search(text)):
        return True
    things: list[Json] = []
    for block in parts(asked, "blocks"):
        things += [block.get("text") or {}, *parts(block, "elements")]
    marked = [thing for thing in things if thing.get("type") == "mrkdwn"]
    return any(
        CALLS.search(thing["text"]) or (not thing.get("verbatim") and NAMES.search(thing["text"])) for thing in marked
    )
