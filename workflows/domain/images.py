"""Names of images, as a repository may write them: one that a registry, or a vendor's own list, has.

Who gets them knows more names than these: files of the worker's machine, registries on it or in its network, and
images that are there for other repositories.
"""

import re

USUAL_REGISTRY = "docker.io"
"""Has the images whose names begin with no host."""
REGISTRIES = (
    USUAL_REGISTRY,
    "gcr.io",
    "ghcr.io",
    "mcr.microsoft.com",
    "public.ecr.aws",
    "quay.io",
    "registry.access.redhat.com",
    "registry.gitlab.com",
)
"""Those open to everybody."""
_PART = r"[A-Za-z0-9]+(?:(?:[._]|__|-+)[A-Za-z0-9]+)*"
_NAME = re.compile(
    rf"(?:[A-Za-z0-9.-]+(?::[0-9]{{1,5}})?/)?{_PART}(?:/{_PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_MOST_CHARS = 400
_PUBLIC_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?", re.IGNORECASE)


def readable_image(text: str) -> str:
    """The text, if it is empty or may name an image. Raises ValueError, in words, for everything else."""
    if text:
        in_full(text)
    return text


def in_full(text: str) -> tuple[str, str]:
    """The registry that has the image, and its name there: `python:3.13` is `docker.io` and `library/python:3.13`.
    Raises ValueError, in words, for what a repository may not write."""
    if len(text) > _MOST_CHARS or not _NAME.fullmatch(text):
        raise ValueError(f"{text[:80]!r} names no image: write 'python:3.13' or 'ghcr.io/owner/name:tag', say")
    first, slash, rest = text.partition("/")
    if not slash:
        return USUAL_REGISTRY, f"library/{text}"
    if not ("." in first or ":" in first or first == "localhost"):
        return USUAL_REGISTRY, text
    if not _PUBLIC_HOST.fullmatch(first.partition(":")[0]):
        raise ValueError(f"{text[:80]!r} names an image of {first}: write a public registry's name, such as 'ghcr.io'")
    return first.lower(), rest
