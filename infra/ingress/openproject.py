"""OpenProject's webhooks.

They are signed and carry no time and no id, so a delivery that was recorded can be sent again: it names the same
happenings, and those are acted on once. A delivery does not say who changed a card nor who is a member: cards wait for
the next look, which asks OpenProject.
"""

import hashlib
import hmac
from collections.abc import Collection, Mapping

from pydantic import ValidationError

from infra.ingress.door import Delivery, Door, Unreadable, Unsigned, is_one_of, real_secrets
from infra.openproject import Activity, Place, Us, Wire
from workflows.domain.intake import Happening, WordsSaid
from workflows.domain.people import Trust

COMMENT_EVENTS = ("work_package_comment:comment", "work_package_comment:internal_comment")


class Payload(Wire):
    action: str
    activity: Activity | None = None


class OpenProjectDoor(Door):
    """`us` is Pawl's own user. Words of `members`, ids of users, are acted on at once; others' wait for the next look,
    which asks OpenProject who they are."""

    most_bytes = 5 * 1024 * 1024

    def __init__(self, place: Place, secrets: Collection[str], us: Us, members: Collection[str] = ()) -> None:
        self.name = place.name
        self._place = place
        self._secrets = real_secrets(secrets)
        self._us = us
        self._members = frozenset(members)

    def check(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        right = [f"sha1={hmac.new(secret.encode(), body, 'sha1').hexdigest()}" for secret in self._secrets]
        if not is_one_of(headers.get("x-op-signature", ""), right):
            raise Unsigned("X-OP-Signature is missing or wrong.")

    def read(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        try:
            said = Payload.model_validate_json(body)
            happening = self._told(said)
        except ValidationError as error:
            raise Unreadable("The body is no webhook of OpenProject.") from error
        name = hashlib.sha256(body).hexdigest()
        return Delivery(id=name, event=said.action, happenings=(happening,) if happening else ())

    def _told(self, said: Payload) -> Happening | None:
        if said.action in COMMENT_EVENTS and said.activity:
            return self._words(said.activity)
        return None

    def _words(self, said: Activity) -> WordsSaid:
        card, person = said.parts.work_package, said.links.user.id
        trust = Trust.MEMBER if str(person) in self._members else Trust.STRANGER
        return self._place.heard(
            said,
            self._place.ref(card.id if card else said.links.work_package.id),
            self._place.ticket(card) if card else None,
            self._us,
            Trust.OURS if person == self._us.id else trust,
        )
