"""What a process of its own does with the sandboxes for commands, which load no adapters: see activities/errands.py."""

import os
import subprocess
import sys

from infra.parts import ROOT, Part, environment
from infra.settings import Settings

_SECONDS = 60


def errand(settings: Settings, name: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, with what a worker sees. Raises subprocess.TimeoutExpired after 60 s without an end."""
    argv = [sys.executable, "-m", "activities.errands", name]
    env = environment(settings, Part.WORKER, os.environ)
    return subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=ROOT, env=env)
