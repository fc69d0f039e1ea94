"""Our program gets into a sandbox: one look, and an upload where it is missing."""

import json
import re
import secrets

from activities.sandbox.remote import archive
from activities.sandbox.remote.answers import plain
from activities.sandbox.remote.vendor import Said, Vendor, shell
from workflows.domain.model import Record
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import BadSpec, Gone, Transient

SECONDS = 60.0
_PATH = re.compile(r"/[A-Za-z0-9._/+-]{1,200}")
_INTERPRETER = (archive.SOURCES / "activities/sandbox/remote/inside/interpreter.py").read_text()

# A folder that others could have made before us is not ours. Which Python is called is settled before any command runs,
# and written down: a later look could find one that a command has put there.
_LOOK = """
[ -x /usr/bin/du ] || [ -x /bin/du ] || { echo pawl no-du; exit 0; }
for folder in /opt/pawl "${HOME:-/root}/.pawl" /var/tmp/.pawl; do
    mkdir -p "$folder/in" "$folder/out" "$folder/jobs" 2>/dev/null || continue
    [ -O "$folder" ] && [ -w "$folder/in" ] && chmod 700 "$folder" || continue
    found=no-python
    IFS=:
    [ -s "$folder/python" ] || for place in /usr/local/bin $PATH $image; do
        case $place in /*) ;; *) continue ;; esac
        [ -x "$place/python3" ] || continue
        "$place/python3" -I -S -c "$3" "$place/python3" >/dev/null 2>&1
        case $? in
            0) echo "$place/python3" > "$folder/python.$$" && mv -f "$folder/python.$$" "$folder/python"; break ;;
            2) found=unsafe-python ;;
        esac
    done
    [ -s "$folder/python" ] || { echo "pawl $found"; exit 0; }
    [ -f "$folder/$1" ] && program=has || program=lacks
    [ -f "$folder/jobs/$2/limits" ] && limits=has || limits=lacks
    echo "pawl $program $limits $(cat "$folder/python") $folder"
    exit 0
done
echo pawl no-folder
"""
_REFUSED = {
    "no-python": "has no python3 of version 3.8 or newer. Choose one that has, or add it.",
    "unsafe-python": (
        "has a python3 that others than root may change, and Pawl's own program runs by it as root. Choose an image "
        "with one that belongs to root, or add it: `apt-get install python3`, say."
    ),
    "no-du": "has no `du`, by which Pawl watches its disk: add coreutils or busybox.",
    "no-folder": "has no folder for Pawl: /opt, the home folder and /var/tmp are read-only.",
}


class Place(Record):
    """Where our program is in a sandbox."""

    folder: str
    python: str
    """Runs it: one that only root can change, where commands are run by another user."""

    @property
    def program(self) -> str:
        return f"{self.folder}/{archive.built().name}"

    def new_file(self) -> str:
        """A path for a file on its way in."""
        return f"{self.folder}/in/{secrets.token_hex(8)}"

    def call(self, verb: str, arguments: str) -> tuple[str, ...]:
        return (self.python, "-I", "-S", "-X", "utf8", self.program, verb, arguments)


async def installed(vendor: Vendor, instance: str, at: str, limits: SandboxLimits | None) -> Place:
    """The place in this sandbox, made where there is none. `at` names the sandbox inside. Its limits are those of
    whoever came first; None: somebody has. Raises BadSpec when the image cannot hold our program."""
    program = archive.built()
    said = await vendor.run(instance, _look(program.name, at), SECONDS)
    has_program, has_limits, place = _found(said)
    if not has_program:
        await _upload(vendor, instance, place, program.data)
    if not has_limits:
        if limits is None:
            raise Gone("The sandbox was not finished by whoever made it; it is when it is ensured again.")
        await _settle(vendor, instance, place, at, limits)
    return place


def _look(program: str, at: str) -> tuple[str, ...]:
    sh, option, script, *words = shell(_LOOK, program, at, _INTERPRETER)
    return (sh, option, f"image=$PATH\n{script}", *words)


def _found(said: Said) -> tuple[bool, bool, Place]:
    if said.code in (126, 127):
        raise BadSpec(f"The sandbox's image has no `sh`, which Pawl needs in it, as it does python3: {plain(said.err)}")
    words = said.out.rpartition("pawl ")[2].strip().split(" ")
    if words[0] in _REFUSED:
        raise BadSpec(f"The sandbox's image {_REFUSED[words[0]]}")
    if said.code != 0 or len(words) != 4 or not all(_PATH.fullmatch(path) for path in words[2:]):
        raise Transient(f"The sandbox did not answer: {plain(said.err or said.out)}")
    return words[0] == "has", words[1] == "has", Place(python=words[2], folder=words[3])


async def _upload(vendor: Vendor, instance: str, place: Place, data: bytes) -> None:
    """In two steps, so that a program that is there is whole."""
    draft = place.new_file()
    await vendor.put(instance, draft, data)
    said = await vendor.run(instance, shell('mv -f "$1" "$2"', draft, place.program), SECONDS)
    if said.code != 0:
        raise Transient(f"Pawl's program could not be put into the sandbox: {plain(said.err)}")


async def _settle(vendor: Vendor, instance: str, place: Place, at: str, limits: SandboxLimits) -> None:
    kept = {
        "memory": limits.memory_mb << 20,
        "processes": limits.processes,
        "disk": limits.disk_mb << 20,
        "seconds": limits.seconds,
    }
    said = await vendor.run(instance, place.call("settle", json.dumps({"at": at, "limits": kept})), SECONDS)
    if said.code != 0:
        raise Transient(f"The sandbox's limits could not be written down: {plain(said.err)}")
