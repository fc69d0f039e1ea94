"""The demo: one real ticket on one real project, watched from the terminal, with a kill in the middle; or a week of
nightly triage on that project."""

import asyncio

from infra.demo.play import play
from infra.demo.week import play_week


def run(*, yes: bool = False, json: bool = False, week: bool = False) -> int:
    """`pawl demo`: returns its exit code, 0 only when every promise was kept. Call it from the main thread.

    `week`: the week of triage, which always plays its tapes. `yes` decides every gate by itself; with `json` standard
    output gets the receipt alone, as one line of JSON. Raises PawlError; KeyboardInterrupt when a person stops it. All
    processes have ended when it returns or raises.
    """
    return asyncio.run(play_week(yes=yes, json=json) if week else play(yes=yes, json=json))
