"""`python -m tests.system.thirty.nights_worker`: the real worker, with points at which it and others can be killed."""

import worker
from activities.notebook import shelf
from infra import cards
from infra.temporal import exit_now
from tests.system.crash.killable_worker import Points, lay_points
from tests.system.crash.switch import Victim
from tests.system.crash.wrapping import around
from tests.system.thirty.one_switch import OneSwitch


def lay_triage_points(points: Points) -> None:
    past = points.named
    around(shelf, "replace_file", before=past("before the file is kept"), after=past("file kept"))
    around(cards, "create", before=past("before the card"), after=past("card made"))


if __name__ == "__main__":
    laid = Points(OneSwitch(Victim.WORKER))
    lay_points(laid)
    lay_triage_points(laid)
    exit_now(worker.main())
