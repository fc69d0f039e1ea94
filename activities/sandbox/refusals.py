"""Why this machine cannot run a sandbox, in words, with the exact way to mend it."""

from workflows.ports.sandbox import PolicyUnsupported

INSTALL = (
    "Install bubblewrap 0.8 or newer: `apt install bubblewrap` (Debian, Ubuntu), `dnf install bubblewrap` (Fedora), "
    "`pacman -S bubblewrap` (Arch), `apk add bubblewrap` (Alpine)."
)
MISSING = "The program bwrap is not on PATH, and Pawl never runs untrusted code without a sandbox."

BROKEN = (
    "Run `bwrap --version` and check that it is 0.8 or newer, and that /proc and /usr of this machine are as usual."
)


class Refused(PolicyUnsupported):
    """No sandbox can run here: `message` says why, `fix` what to do, both for operators."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(f"{message} {fix}")
        self.message = message
        self.fix = fix


_APPARMOR = (
    "Allow bubblewrap in AppArmor. Ubuntu 24.04: `sudo apt install apparmor-profiles` and then "
    "`sudo ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/ && "
    "sudo apparmor_parser -r /etc/apparmor.d/bwrap-userns-restrict`. Ubuntu 25.04 and newer ship the profile: "
    "`sudo apparmor_parser -r /etc/apparmor.d/bwrap-userns-restrict`. Only if neither is possible: "
    "`sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, which lifts the protection for all programs."
)
_NO_NAMESPACES = (
    "Allow user namespaces: `sudo sysctl -w user.max_user_namespaces=15000`; on older Debian kernels also "
    "`sudo sysctl -w kernel.unprivileged_userns_clone=1`. Inside a container, start it with a seccomp profile that "
    "allows them, or run the Pawl worker outside."
)
_NO_SCOPE = (
    "Start the worker again, then it asks anew what this machine can do. For a worker that runs without a login: "
    "`loginctl enable-linger` for its user."
)
_OWN_STORE = "Look at what the ticket's commands do: a folder `nix` is shown at /nix, a link there never is."
_KNOWN = (
    ("setting up uid map: permission denied", "This system's AppArmor keeps bubblewrap from its user map.", _APPARMOR),
    ("failed rtm_newaddr", "This system's AppArmor keeps bubblewrap from its own network.", _APPARMOR),
    ("creating new namespace failed", "This system does not let us make user namespaces.", _NO_NAMESPACES),
    ("no permissions to create new namespace", "This system does not let us make user namespaces.", _NO_NAMESPACES),
    ("no permissions to creating new namespace", "This system does not let us make user namespaces.", _NO_NAMESPACES),
    ("unknown option", "The installed bubblewrap is too old.", INSTALL),
    ("/work/nix was replaced", "A command of this sandbox put something else in the place of /work/nix.", _OWN_STORE),
    ("failed to start transient scope", "The user's systemd did not run the sandbox in a scope.", _NO_SCOPE),
    ("failed to connect to", "The user's systemd is out of reach by now.", _NO_SCOPE),
    ("unshare: operation not permitted", "Root here may not make a mount namespace.", _NO_NAMESPACES),
)


def explain(said: str) -> Refused:
    """What bwrap's (or the launcher's) words mean for an operator."""
    words = said.strip()
    for mark, message, fix in _KNOWN:
        if mark in words.lower():
            return Refused(f"{message} It said: {words[:300]}", fix)
    return Refused(
        f"The sandbox could not be started. It said: {words[:1000] or 'nothing'}",
        BROKEN,
    )
