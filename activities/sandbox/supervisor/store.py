"""Whether what is shown at /nix is the sandbox's own folder.

The sandbox may put a link in the place of its folder `nix` at any time, also between our look at it and the mount, and
the mount would follow it. So we look at what was mounted, before the command starts.
"""

# ruff: noqa: PTH123
# pathlib would double the start-up time of every job


def is_own_store(init: int) -> bool:
    """Whether /nix is the folder `nix` of /work in the sandbox whose first process is `init`."""
    mounted: dict[str, tuple[str, str]] = {}
    with open(f"/proc/{init}/mountinfo") as file:  # proc(5): 2 device, 3 path in its file system, 4 where it is shown
        for line in file:
            fields = line.split()
            mounted[fields[4]] = fields[2], fields[3]
    device, folder = mounted["/work"]
    return mounted.get("/nix") == (device, f"{folder}/nix")
