"""Our program gets into a sandbox: one look, and an upload where it is missing."""

import json
import secrets

from activities.sandbox.remote import archive
from activities.sandbox.remote.vendor import Said, Vendor
from workflows.domain.model import Record
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import BadSpec, Gone, Transient

SECONDS = 60.0
PYTHON = ("python3", "-I", "-S", "-X", "utf8")

# A folder that others could have made before us is not ours.
_LOOK = """
command -v python3 >/dev/null 2>&1 && python3 -I -S -c 'import sys; sys.exit(sys.version_info < (3, 8))' ||
    { echo pawl no-python; exit 0; }
[ -x /usr/bin/du ] || [ -x /bin/du ] || { echo pawl no-du; exit 0; }
for folder in /opt/pawl "${HOME:-/root}/.pawl" /var/tmp/.pawl; do
    mkdir -p "$folder/in" "$folder/out" "$folder/jobs" 2>/dev/null || continue
    [ -O "$folder" ] && [ -w "$folder/in" ] && chmod 700 "$folder" || continue
    [ -f "$folder/$1" ] && program=has || program=lacks
    [ -f "$folder/jobs/$2/limits" ] && limits=has || limits=lacks
    echo "pawl $program $limits $folder"
    exit 0
done
echo pawl no-folder
"""


class Place(Record):
    """Where our program is in a sandbox."""

    folder: str

    @property
    def program(self) -> str:
        return f"{self.folder}/{archive.built().name}"

    def new_file(self) -> str:
        """A path for a file on its way in."""
        return f"{self.folder}/in/{secrets.token_hex(8)}"

    def call(self, verb: str, arguments: str) -> tuple[str, ...]:
        return (*PYTHON, self.program, verb, arguments)


async def installed(vendor: Vendor, instance: str, at: str, limits: SandboxLimits | None) -> Place:
    """The place in this sandbox, made where there is none. `at` names the sandbox inside. Its limits are those of
    whoever came first; None: somebody has. Raises BadSpec when the image cannot hold our program."""
    program = archive.built()
    said = await vendor.run(instance, ("sh", "-c", _LOOK, "sh", program.name, at), SECONDS)
    has_program, has_limits, folder = _found(said)
    place = Place(folder=folder)
    if not has_program:
        await _upload(vendor, instance, place, program.data)
    if not has_limits:
        if limits is None:
            raise Gone("The sandbox was not finished by whoever made it; it is when it is ensured again.")
        await _settle(vendor, instance, place, at, limits)
    return place


def _found(said: Said) -> tuple[bool, bool, str]:
    if said.code in (126, 127):
        raise BadSpec(f"The sandbox's image has no `sh`, which Pawl needs in it, as it does python3: {said.err[-200:]}")
    words = said.out.rpartition("pawl ")[2].strip().split(" ", 2)
    if words == ["no-python"]:
        raise BadSpec("The sandbox's image has no python3 of version 3.8 or newer. Choose one that has, or add it.")
    if words == ["no-du"]:
        raise BadSpec("The sandbox's image has no `du`, by which Pawl watches its disk: add coreutils or busybox.")
    if words == ["no-folder"]:
        raise BadSpec("The sandbox's image has no folder for Pawl: /opt, the home folder and /var/tmp are read-only.")
    if said.code != 0 or len(words) != 3:
        raise Transient(f"The sandbox did not answer: {(said.err or said.out)[-500:]}")
    return words[0] == "has", words[1] == "has", words[2]


async def _upload(vendor: Vendor, instance: str, place: Place, data: bytes) -> None:
    """In two steps, so that a program that is there is whole."""
    draft = place.new_file()
    await vendor.put(instance, draft, data)
    said = await vendor.run(instance, ("mv", "-f", draft, place.program), SECONDS)
    if said.code != 0:
        raise Transient(f"Pawl's program could not be put into the sandbox: {said.err[-500:]}")


async def _settle(vendor: Vendor, instance: str, place: Place, at: str, limits: SandboxLimits) -> None:
    kept = {
        "memory": limits.memory_mb << 20,
        "processes": limits.processes,
        "disk": limits.disk_mb << 20,
        "seconds": limits.seconds,
    }
    said = await vendor.run(instance, place.call("settle", json.dumps({"at": at, "limits": kept})), SECONDS)
    if said.code != 0:
        raise Transient(f"The sandbox's limits could not be written down: {said.err[-500:]}")
