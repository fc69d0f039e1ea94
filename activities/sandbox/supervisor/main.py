"""One job from claim to exit record. The files of a job's folder:

`spec` what to do · `started` there is, or was, a supervisor · `control` a fifo it reads: no reader, no supervisor ·
`out`, `err` the kept output · `exit` how it ended: reason, code, whether output was dropped · `log` our own errors.
"""

# ruff: noqa: PTH123
# pathlib would double the start-up time of every job

import os

from .job import Job
from .spec import JobSpec


def main(folder: str) -> None:
    """Claim the job of this folder and go into the background with it; no-op when somebody has claimed it."""
    os.chdir(folder)
    try:  # noqa: SIM105 - without contextlib, which start-up would have to pay for
        os.mkfifo("control", 0o600)
    except FileExistsError:
        pass  # another starter of the same job was faster
    control = os.open("control", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)  # a reader that never sees an end
    try:
        os.close(os.open("started", os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    with open("pid", "w") as file:
        file.write(str(os.getpid()))
    with open("spec", "rb") as file:
        spec = JobSpec.loads(file.read())
    Job(spec, control).run()
