"""What the commands of `pawl` are made of: how they are listed, what all of them take, and how amounts and times are
read."""

import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from workflows.domain.decision import MOST_USD

# What the commands need is imported by the commands, so that `pawl --help` and a mistyped word are answered at once.
if TYPE_CHECKING:
    from infra.settings import Settings


class Group(click.Group):
    """Lists its commands in the order in which a person meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


class Verb(click.Command):
    """A command with what all of them have: `--json` and `--debug`, which `infra.console` reads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [
            click.Option(["--json"], is_flag=True, expose_value=False, help="Print JSON."),
            click.Option(["--debug"], is_flag=True, expose_value=False, help="Show where an error came from."),
        ]


class Dollars(click.ParamType[Decimal]):
    """An amount above zero, exact. Far beyond what a ticket costs, a slip of the keys is likelier than a wish."""

    name = "usd"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            amount = Decimal(value.removeprefix("$"))
        except InvalidOperation:
            amount = Decimal(0)
        if not amount.is_finite() or amount <= 0:
            self.fail(f"{value!r} is not an amount of dollars above 0.", param, ctx)
        if amount > MOST_USD:
            self.fail(f"{value!r} is more than {MOST_USD:,} dollars, the most that can be given at once.", param, ctx)
        return amount


class Name(click.ParamType[str]):
    """Of a ticket or a session. Nothing would name them all."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value.strip():
            self.fail("It is empty.", param, ctx)
        return value


def settings_of(**given: Any) -> "Settings":
    from infra.settings import Settings

    return Settings(**given)


_NONE = re.compile(r"0+ ?[smhdw]?")


class Span(click.ParamType[timedelta]):
    """A time such as 10m or 6h; `never` and 0 are none at all."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from workflows.domain.gates import seconds_of

        try:
            return timedelta(seconds=0 if _NONE.fullmatch(value.strip().lower()) else seconds_of(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


dry_run = click.option("--dry-run", is_flag=True, help="Say what would happen and change nothing.")
yes = click.option("--yes", is_flag=True, help="Do it without asking.")
