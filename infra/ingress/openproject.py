"""OpenProject's webhooks.

They are signed and carry no time and no id, so a delivery that was recorded can be sent again: it names the same
happenings, and those are acted on once. A delivery does not say who changed a card nor who is a member.
"""

import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from infra.ingress.door import Delivery, Door, Unreadable, Unsigned
from infra.openproject import Activity, Place, Us, Wire, WorkPackage
from workflows.domain.intake import Happening, WordsSaid
from workflows.domain.people import Trust

CARD_EVENTS = ("work_package:created", "work_package:updated")
COMMENT_EVENTS = ("work_package_comment:comment", "work_package_comment:internal_comment")


class Payload(Wire):
    action: str
    work_package: WorkPackage | None = None
    activity: Activity | None = None


@dataclass
class OpenProjectDoor(Door):
    place: Place
    secret: str = field(repr=False)
    us: Us
    members: Collection[str] = ()
    """Ids of the users whose words are acted on at once. Others' wait for the next look, which asks OpenProject."""
    most_bytes: int = 5 * 1024 * 1024

    def __post_init__(self) -> None:
        if not self.secret:
            raise ValueError("A door needs a secret: an empty one anybody could sign with.")
        self.name = self.place.name

    def check(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        right = f"sha1={hmac.new(self.secret.encode(), body, 'sha1').hexdigest()}"
        given = headers.get("x-op-signature", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, right.encode()):
            raise Unsigned("X-OP-Signature is missing or wrong.")

    def read(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        try:
            said = Payload.model_validate_json(body)
        except ValidationError as error:
            raise Unreadable("The body is no webhook of OpenProject.") from error
        happening: Happening | None = None
        if said.action in CARD_EVENTS and said.work_package:
            happening = self.place.seen(said.work_package, self.place.ticket(said.work_package), self.us.id)
        if said.action in COMMENT_EVENTS and said.activity:
            happening = self._words(said.activity)
        return Delivery(
            id=hashlib.sha256(body).hexdigest(), event=said.action, happenings=(happening,) if happening else ()
        )

    def _words(self, said: Activity) -> WordsSaid:
        card, person = said.parts.work_package, said.links.user.id
        trust = Trust.MEMBER if str(person) in self.members else Trust.STRANGER
        return self.place.heard(
            said,
            self.place.ref(card.id if card else said.links.work_package.id),
            self.place.ticket(card) if card else None,
            self.us,
            Trust.OURS if person == self.us.id else trust,
        )
