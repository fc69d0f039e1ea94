"""The paid side: accounts and bills at the gateway."""

from abc import abstractmethod
from datetime import timedelta
from decimal import Decimal

from temporalio import activity
from temporalio.workflow import ActivityConfig

from workflows.domain.budget import Bill
from workflows.domain.model import Record
from workflows.ports import PATIENT, Port


class OpenAccount(Record):
    account: str
    models: tuple[str, ...]
    """Every model the account may use: each is checked for key and price before anything is spent."""
    usd: Decimal | None
    tokens: int | None


class TopUpAccount(Record):
    account: str
    usd_ceiling: Decimal | None
    """The new ceiling, not the difference: a repeated request changes nothing. None where none is in force."""
    tokens_ceiling: int | None = None
    """The same for tokens."""


class ReadBill(Record):
    account: str


class Model(Port):
    """The paid side. Prices, ceilings and receipts are the gateway's; the workflow only asks."""

    options = ActivityConfig(start_to_close_timeout=timedelta(seconds=20), retry_policy=PATIENT)

    @activity.defn
    @abstractmethod
    async def open_account(self, request: OpenAccount) -> None:
        """Put the account's ceilings in force.

        Raises UnknownModel, UnknownPrice and BadCredentials, each saying what to set.
        """

    @activity.defn
    @abstractmethod
    async def top_up_account(self, request: TopUpAccount) -> None:
        """Raise the ceilings that are in force."""

    @activity.defn
    @abstractmethod
    async def read_bill(self, request: ReadBill) -> Bill:
        """What the account has cost so far."""
