"""What people put on a ticket, as an agent gets it: pictures to look at, texts to read, the rest by name."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from pydantic_ai.messages import BinaryContent, ModelMessage, ModelRequest, UserContent, UserPromptPart

from workflows.domain import prompt
from workflows.domain.model import Record
from workflows.domain.ticket import Attachment
from workflows.ports.journal import Journal

MOST_PICTURES, MOST_PICTURE_BYTES = 5, 3_000_000
FILE_CHARS, ALL_FILES_CHARS = 16_000, 48_000
_LIST_CHARS = 8_000
_TEXTS = frozenset({"application/json", "application/x-ndjson", "application/xml", "application/yaml"})
_TEXT_NAMES = frozenset({".csv", ".json", ".jsonl", ".log", ".md", ".txt", ".yaml", ".yml"})
_NOT_TAKEN = "[This picture is not shown: the model or its provider does not take it.]"


class Picture(Record):
    """A picture of the first message. Untrusted."""

    media_type: str
    content: str
    """Journal reference of the bytes."""


class Enclosed(Record):
    text: str = ""
    """Blocks for the first message; empty where nothing is on the ticket."""
    pictures: tuple[Picture, ...] = ()


async def enclosed(journal: Journal, attachments: Sequence[Attachment]) -> Enclosed:
    """What of the attachments is shown, and of what is not, why."""
    lines, texts, pictures, room = list[str](), list[str](), list[Picture](), ALL_FILES_CHARS
    for attachment in attachments:
        name = " ".join(attachment.name.split())
        data = await _bytes(journal, attachment)
        if data is None:
            lines.append(f"{name}: not shown, its bytes are gone")
        elif kind := picture_kind(data):
            why = _why_not(data, len(pictures))
            if not why:
                pictures.append(Picture(media_type=kind, content=attachment.content))
            lines.append(f"{name}: {why or f'picture {len(pictures)}, after this text'}")
        elif (text := _text(attachment, data)) is None:
            lines.append(f"{name}: not shown, a file of type {attachment.media_type or 'unknown'}")
        elif room <= 0:
            lines.append(f"{name}: not shown, the texts before it fill the room there is")
        else:
            lines.append(f"{name}: its text follows")
            most = min(FILE_CHARS, room)
            room -= min(len(text), most)
            texts.append(prompt.block("attachment", text, most, name=name, type=attachment.media_type))
    if not lines:
        return Enclosed()
    listed = prompt.block("attachments", "\n".join(f"- {line}" for line in lines), _LIST_CHARS)
    return Enclosed(text="\n\n".join([listed, *texts]), pictures=tuple(pictures))


def picture_kind(data: bytes) -> str:
    """The media type of a picture that models take, by how it begins; empty for anything else. What a card or a server
    calls it may be wrong, and providers refuse what is not what it is called."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""


def first_part(message: str, pictures: Sequence[Picture], loaded: Mapping[str, bytes]) -> UserPromptPart:
    """A message with its pictures after it, numbered as its text counts them."""
    if not pictures:
        return UserPromptPart(message)
    content: list[UserContent] = [message]
    for number, picture in enumerate(pictures, start=1):
        content += [f"Picture {number}:", BinaryContent(loaded[picture.content], media_type=picture.media_type)]
    return UserPromptPart(content)


def has_pictures(messages: Sequence[ModelMessage]) -> bool:
    return any(_is_pictured(part) for message in messages for part in message.parts)


def without_pictures(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """The same conversation for a model that takes none: it is told that there were some."""
    return [
        replace(message, parts=[_told_of(part) if isinstance(part, UserPromptPart) else part for part in message.parts])
        if isinstance(message, ModelRequest)
        else message
        for message in messages
    ]


def _told_of(part: UserPromptPart) -> UserPromptPart:
    if isinstance(part.content, str):
        return part
    return replace(part, content=[_NOT_TAKEN if isinstance(one, BinaryContent) else one for one in part.content])


def _is_pictured(part: object) -> bool:
    content = part.content if isinstance(part, UserPromptPart) else ""
    return not isinstance(content, str) and any(isinstance(one, BinaryContent) for one in content)


async def _bytes(journal: Journal, attachment: Attachment) -> bytes | None:
    try:
        return await journal.load(attachment.content)
    except KeyError:
        return None


def _why_not(data: bytes, shown: int) -> str:
    if len(data) > MOST_PICTURE_BYTES:
        return f"not shown, larger than {MOST_PICTURE_BYTES // 1_000_000} MB"
    return f"not shown, only {MOST_PICTURES} pictures are" if shown >= MOST_PICTURES else ""


def _text(attachment: Attachment, data: bytes) -> str | None:
    """None for what is no text, whatever it is called."""
    kind = attachment.media_type.casefold()
    called = kind.startswith("text/") or kind in _TEXTS or kind.endswith("+json")
    if not called and PurePosixPath(attachment.name).suffix.casefold() not in _TEXT_NAMES:
        return None
    return None if b"\0" in data else data.decode(errors="replace")
