"""The beginning of a request to the proxy: where it wants to go, and what the server there is told."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

_LINE = re.compile(rb"([A-Z]{1,20}) (\S{1,8000}) HTTP/1\.[01]")
_HEADER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00\r\n]*")
_OURS = ("connection", "host", "keep-alive", "upgrade")
"""Headers between the client and us; the server gets its own."""
_HOST = re.compile(r"[!-~]{1,255}")
_PORT = re.compile(r"[0-9]{1,5}")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_HTTP = 80
_MOST_PORT = 65_535
CHUNKED = -1
"""A body whose end is in itself."""


class BadHead(Exception):
    """No request this proxy can serve; the message is for the client."""


class Head(NamedTuple):
    method: str
    host: str
    port: int
    forward: bytes
    """What the server is sent first; nothing for CONNECT, which gets a bare tunnel."""
    body: int | None
    """Bytes that follow, or CHUNKED; None for CONNECT: whatever comes."""


def read_head(data: bytes) -> Head:
    """Raises BadHead."""
    first, *lines = data.removesuffix(b"\r\n\r\n").split(b"\r\n")
    line = _LINE.fullmatch(first)
    if line is None:
        raise BadHead("This is no request of HTTP/1.1.")
    if not all(_HEADER.fullmatch(each) for each in lines):
        raise BadHead("A header of this request cannot be read.")
    method, target = line[1].decode(), line[2].decode("latin-1")
    if method == "CONNECT":
        host, port = _authority(target, None)
        return Head(method, host, port, b"", None)
    try:
        url = urlsplit(target)
    except ValueError:
        raise BadHead("The address of this request cannot be read.") from None
    if url.scheme != "http" or not url.netloc or "@" in url.netloc:
        raise BadHead("Send the whole address, beginning with http://, or use CONNECT.")
    host, port = _authority(url.netloc, _HTTP)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    kept = [each for each in lines if not _is_ours(each)]
    own = [f"{method} {path} HTTP/1.1".encode("latin-1"), b"Host: " + url.netloc.encode("latin-1")]
    forward = b"\r\n".join([*own, *kept, b"Connection: close", b"", b""])
    return Head(method, host, port, forward, _announced(kept))


def _announced(lines: list[bytes]) -> int:
    """How long the body is. Where two readers could find two ends, the second would take the rest for another request:
    such a head is none."""
    lengths = [_value(each) for each in lines if _name(each) == "content-length"]
    codings = [_value(each) for each in lines if _name(each) == "transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise BadHead("This request says more than once how long it is.")
    if codings:
        if codings[0].lower() != b"chunked":
            raise BadHead("A Transfer-Encoding other than chunked is not passed on.")
        return CHUNKED
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        raise BadHead("The Content-Length of this request cannot be read.")
    return int(lengths[0]) if lengths else 0


def _is_ours(line: bytes) -> bool:
    name = _name(line)
    return name in _OURS or name.startswith("proxy-")


def _name(line: bytes) -> str:
    return line.partition(b":")[0].decode().lower()


def _value(line: bytes) -> bytes:
    return line.partition(b":")[2].strip(b" \t")


def _authority(text: str, port: int | None) -> tuple[str, int]:
    """Host and port of `name:443` or `[fd00::7]:443`."""
    host, colon, digits = text.rpartition(":")
    if not colon or digits.endswith("]"):
        host, digits = text, "" if port is None else str(port)
    if not (_HOST.fullmatch(host) and _PORT.fullmatch(digits) and 0 < int(digits) <= _MOST_PORT):
        raise BadHead("Name the host and the port.")
    return host, int(digits)
