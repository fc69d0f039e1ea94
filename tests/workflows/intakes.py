"""An intake that is asked for nothing, for tests to say what it may be asked for."""

from temporalio import activity

from workflows.domain.chat import Waiting
from workflows.domain.sweep import Disagreement, Parked, Place
from workflows.ports.intake import (
    CompareCards,
    Compared,
    Intake,
    ListParked,
    ListPlaces,
    Reconcile,
    Reconciled,
)

_UNASKED = "nothing here asks for that"


class UnaskedIntake(Intake):
    @activity.defn
    async def reconcile(self, request: Reconcile) -> Reconciled:
        raise AssertionError(_UNASKED)

    @activity.defn
    async def list_waiting(self) -> list[Waiting]:
        raise AssertionError(_UNASKED)

    @activity.defn
    async def list_parked(self, request: ListParked) -> list[Parked]:
        raise AssertionError(_UNASKED)

    @activity.defn
    async def list_places(self, request: ListPlaces) -> list[Place]:
        raise AssertionError(_UNASKED)

    @activity.defn
    async def compare_cards(self, request: CompareCards) -> Compared:
        raise AssertionError(_UNASKED)

    @activity.defn
    async def put_right(self, found: Disagreement) -> bool:
        raise AssertionError(_UNASKED)
