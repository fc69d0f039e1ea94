"""The kill switch of the crash tests where everything that happens belongs to one night."""

from tests.system.crash.switch import Switch

NIGHT = "night"
"""What the orders and the trace are kept under."""


class OneSwitch(Switch):
    def past(self, ticket: str, point: str) -> None:
        super().past(NIGHT, point)
