"""One command: a verb, and its arguments as JSON. It answers with one line of JSON, in ASCII.

Below the folder of this program: `asked` touched by every call and while a job runs · `in/`, `out/` files on their
way · `jobs/<sandbox>/limits` for each of its jobs · `jobs/<sandbox>/<job>/` see `jobs`.
"""

# ruff: noqa: PTH100, PTH120
# pathlib would double the start-up time

from __future__ import annotations

import json
import os
import sys
from typing import Any

from activities.sandbox.remote.inside import jobs, place
from activities.sandbox.tree import Forbidden, TooLarge

_VERBS = {
    "settle": jobs.settle,
    "start": jobs.start,
    "poll": jobs.poll,
    "kill": jobs.kill,
    "take": place.take,
    "offer": place.offer,
}


def main() -> None:
    verb, arguments = sys.argv[1], json.loads(sys.argv[2])
    home = os.path.dirname(os.path.abspath(sys.argv[0]))
    jobs.note_use(home)
    print(json.dumps(_answer(verb, home, arguments)), flush=True)


def _answer(verb: str, home: str, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        return _VERBS[verb](home, **arguments)
    except FileNotFoundError as error:
        return {"error": "FileNotFoundError", "message": str(error)}
    except Forbidden as error:
        return {"error": "Denied", "message": str(error)}
    except (TooLarge, jobs.NoSuchJob, place.Unusable) as error:
        return {"error": "BadSpec", "message": str(error)}
    except OSError as error:
        return {"error": "Transient", "message": f"{verb}: {error}"}
