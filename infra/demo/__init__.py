"""The demo: one real ticket on one real project, watched from the terminal, with a kill in the middle."""

import asyncio

from infra.demo.play import play


def run(*, yes: bool = False, json: bool = False) -> int:
    """`pawl demo`: returns its exit code, 0 only when every promise was kept. Call it from the main thread.

    `yes` decides every gate by itself; with `json` standard output gets the receipt alone, as one line of JSON.
    Raises PawlError; KeyboardInterrupt when a person stops it. All processes have ended when it returns or raises.
    """
    return asyncio.run(play(yes=yes, json=json))
