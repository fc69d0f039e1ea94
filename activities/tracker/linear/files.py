"""Files and pictures people put on an issue, fetched from Linear's own store only and kept in the journal."""

import re
from dataclasses import dataclass

import httpx

from activities.errors import from_response, from_transport
from activities.tracker.linear.client import Token
from activities.tracker.linear.rows import Issue, Said
from workflows.domain.ticket import Attachment
from workflows.ports.journal import Journal

UPLOADS = "https://uploads.linear.app"
MOST_FILES = 20
MOST_BYTES = 5_000_000
"""Of one file; a larger one is left where it is, and the text still has its link."""
_LINK = re.compile(r"\[(?P<name>[^\[\]\n]{0,200})\]\((?P<url>[^()\[\]\s]{1,2000})(?:[ \t][^)\[\n]{0,500})?\)")
"""No part can hold what the next link begins with, so that no text takes long: this runs beside all other steps."""


@dataclass(frozen=True)
class Files:
    """`store` is where Linear keeps uploads: the only place that is shown the key."""

    http: httpx.AsyncClient
    token: Token
    journal: Journal
    store: str = UPLOADS

    async def of(self, issue: Issue) -> tuple[Attachment, ...]:
        """What the description and the comments show, and what is attached, in this order."""
        texts = [issue.description or "", *(said.body for said in _oldest_first(issue))]
        named = {found["url"]: found["name"] for text in texts for found in _LINK.finditer(text)}
        named |= {row.url: row.title for row in issue.attachments.nodes if row.url not in named}
        ours = [(url, name) for url, name in named.items() if self._is_kept_by_linear(url)][:MOST_FILES]
        fetched = [await self._fetched(url, name) for url, name in ours]
        return tuple(attachment for attachment in fetched if attachment)

    def _is_kept_by_linear(self, url: str) -> bool:
        """The address as the client will read it, not as it looks."""
        try:
            asked, store = httpx.URL(url), httpx.URL(self.store)
        except httpx.InvalidURL:
            return False
        return (asked.scheme, asked.host, asked.port, asked.userinfo) == (store.scheme, store.host, store.port, b"")

    async def _fetched(self, url: str, name: str) -> Attachment | None:
        """None for what is gone, refused or too large."""
        data = bytearray()
        try:
            headers = {"Authorization": await self.token()}
            async with self.http.stream("GET", url, headers=headers, follow_redirects=False) as response:
                if response.status_code == 429 or response.status_code >= 500:
                    await response.aread()
                    raise from_response("Linear's file store", response)
                if response.status_code != 200:
                    return None
                async for part in response.aiter_bytes():
                    data += part
                    if len(data) > MOST_BYTES:
                        return None
        except httpx.HTTPError as error:
            raise from_transport("Linear's file store", error) from error
        kind = response.headers.get("content-type", "application/octet-stream").partition(";")[0].strip()
        shown = name.strip() or url.rsplit("/", 1)[-1].partition("?")[0]
        return Attachment(name=shown[:200], media_type=kind[:100], content=await self.journal.keep(bytes(data)))


def _oldest_first(issue: Issue) -> list[Said]:
    return sorted(issue.comments.nodes, key=lambda said: said.created_at)
