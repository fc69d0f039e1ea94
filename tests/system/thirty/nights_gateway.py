"""`python -m tests.system.thirty.nights_gateway`: the real gateway, with points at which it can be killed."""

import sys

from infra.gateway import __main__ as gateway
from tests.system.crash.killable_gateway import lay_points
from tests.system.crash.switch import Victim
from tests.system.thirty.one_switch import OneSwitch

if __name__ == "__main__":
    lay_points(OneSwitch(Victim.GATEWAY))
    sys.exit(gateway.main())
