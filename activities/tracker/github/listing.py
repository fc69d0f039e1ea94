"""Issues that are open."""

from dataclasses import dataclass

from activities.errors import stop
from activities.github import GitHub
from activities.github.records import Issue
from activities.tracker.github.cards import is_filed, repository_of, ticket
from workflows.domain.failures import Failure
from workflows.domain.ticket import Ticket
from workflows.domain.written import carries, is_open
from workflows.ports.tracker import ListOpen, OpenTickets

_A_PAGE = 100
_MOST_PAGES = 10
"""Of one repository: pull requests are in them as well."""


@dataclass(frozen=True)
class Shelf:
    """The issues of one connection."""

    github: GitHub
    ours: str
    connection: str
    trigger: str
    repositories: tuple[str, ...]

    async def listed(self, listing: ListOpen) -> OpenTickets:
        names = (listing.team,) if listing.team else self.repositories
        if not names:
            raise stop(Failure.BAD_REQUEST, f"{self.connection} has no repository whose issues could be listed.")
        found: list[tuple[Issue, Ticket]] = []
        complete = True
        for name in {name.casefold(): name for name in names}.values():
            some, whole = await self._of(name, listing)
            found, complete = [*found, *some], complete and whole
        found.sort(key=_created, reverse=True)
        return OpenTickets.of([ticket for _, ticket in found], listing, complete=complete)

    async def _of(self, repository: str, listing: ListOpen) -> tuple[list[tuple[Issue, Ticket]], bool]:
        """Of one repository, the newest first: one more than is asked for, where there are more. And whether they are
        all there is."""
        asked = {"state": "open", "sort": "created", "direction": "desc", **_labelled(listing.labels)}
        found: list[tuple[Issue, Ticket]] = []
        for page in range(1, _MOST_PAGES + 1):
            issues = await self.github.every(repository, "/issues", Issue, most=_A_PAGE, page=page, **asked)
            for issue in issues:
                shown = ticket(self.connection, repository_of(issue), issue, self.trigger)
                if issue.pull_request is None and is_open(shown) and carries(shown, listing.labels):
                    found.append((issue, shown.model_copy(update={"ours": is_filed(issue, self.ours)})))
            if len(issues) < _A_PAGE:
                return found, True
            if len(found) > listing.most:
                break
        return found, False


def _labelled(labels: tuple[str, ...]) -> dict[str, str]:
    """GitHub separates labels by commas: of one that has a comma itself it cannot be asked."""
    names = ",".join(label for label in labels if "," not in label)
    return {"labels": names} if names else {}


def _created(found: tuple[Issue, Ticket]) -> tuple[float, int]:
    return found[0].created_at.timestamp(), found[0].number
