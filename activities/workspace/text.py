"""Output for people and models: readable whatever the bytes were, and short."""

_MOST = 10_000


def readable(output: bytes, lost_more: bool = False) -> str:
    """Head and tail of at most 10,000 characters together; what was cut between them is said.

    `lost_more`: what came after these bytes was not kept.
    """
    text = output.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    end = "\n[output went on; the rest was not kept]\n" if lost_more else ""
    room = _MOST - len(end)
    if len(text) <= room:
        return text + end
    half = (room - 50) // 2
    return f"{text[:half]}\n[{len(text) - 2 * half:,} characters cut]\n{text[-half:]}{end}"
