"""What Northflank answers, as far as Pawl reads it, and what its errors mean.

The types of Northflank's client are dictionaries that promise more than its texts do, so answers are read by models.
"""

from typing import Any

from northflank import ApiCallError
from pydantic import BaseModel, Field
from websockets.exceptions import WebSocketException

from workflows.domain.model import Record
from workflows.ports.sandbox import BadSpec, Capacity, Denied, SandboxError, Transient

ABOUT = "pawl"
"""The annotation that holds an `About`."""

PROBE = """
import socket
for where in (("1.1.1.1", 443), ("8.8.8.8", 53), ("169.254.169.254", 80)):
    try:
        socket.create_connection(where, 1).close()
    except OSError:
        continue
    print("open", *where)
    break
"""
"""Whether anything can be reached: a policy that is written down binds only clusters that enforce it."""
_LEAST_DISK_MB = 1_024


class About(Record):
    """What Pawl writes on a service of its own."""

    installation: str
    key: str
    labels: dict[str, str]
    image: str
    """The image of the registry it was started from, below a snapshot too."""
    made: float
    """Seconds since 1970, as is `until`, the end of its lifetime."""
    until: float


class _Metadata(BaseModel):
    annotations: dict[str, str] = Field(default_factory=dict)


class _Deployment(BaseModel):
    metadata: _Metadata = _Metadata()


class _Rollout(BaseModel):
    status: str = ""


class _Status(BaseModel):
    deployment: _Rollout = _Rollout()


class Service(BaseModel):
    deployment: _Deployment = _Deployment()
    status: _Status = _Status()

    @property
    def failed(self) -> bool:
        return self.status.deployment.status == "FAILED"


class Container(BaseModel):
    name: str
    status: str


class Plan(BaseModel):
    id: str
    memory_mb: float = Field(alias="ramResource")
    price: float = Field(alias="amountPerHour")


class _Egress(BaseModel):
    deny_all: bool = Field(default=False, alias="denyAll")
    allow_to: list[str] | None = Field(default=None, alias="allowTo")
    allow_to_tags: list[str] | None = Field(default=None, alias="allowToTags")
    allow_to_projects: list[str] | None = Field(default=None, alias="allowToProjects")


class _Projects(BaseModel):
    enabled: bool = False
    items: list[str] = Field(default_factory=list[str])
    mode: str = Field(default="in", alias="restrictionMode")


class _Tags(BaseModel):
    enabled: bool = False


class _Restrictions(BaseModel):
    projects: _Projects = _Projects()
    tags: _Tags = _Tags()


class _Spec(BaseModel):
    egress: _Egress = _Egress()
    restrictions: _Restrictions = _Restrictions()


class Policy(BaseModel):
    """A network policy."""

    spec: _Spec = _Spec()

    def closes(self, project: str) -> bool:
        """Whether nothing in the project reaches anything."""
        egress, on = self.spec.egress, self.spec.restrictions
        open_to = egress.allow_to or egress.allow_to_tags or egress.allow_to_projects
        named = project in on.projects.items
        applies = not on.projects.enabled or (named if on.projects.mode == "in" else not named)
        return egress.deny_all and not open_to and applies and not on.tags.enabled


def image_of(reference: str) -> tuple[str, str]:
    """The image of a registry, and the snapshot above it: empty for an image alone."""
    image, _, snapshot = reference.partition("#")
    return image, snapshot


def service_data(
    name: str, about: About, plan: str, snapshot: str, disk_mb: int, tags: tuple[str, ...]
) -> dict[str, Any]:
    """A service that does nothing and is used by exec."""
    deployment: dict[str, Any] = {
        "instances": 1,
        "external": {"imagePath": about.image},
        "docker": {
            "configType": "customEntrypointCustomCommand",
            "customEntrypoint": "sleep",
            "customCommand": "infinity",
        },
        "storage": {"ephemeralStorage": {"storageSize": max(_LEAST_DISK_MB, disk_mb)}},
        "metadata": {"annotations": {ABOUT: about.model_dump_json()}},
    }
    if snapshot:
        deployment["containerSnapshot"] = {"restoreFrom": snapshot}
    return {"name": name, "billing": {"deploymentPlan": plan}, "deployment": deployment, "tags": list(tags)}


def meaning(error: ApiCallError | WebSocketException) -> SandboxError:
    """What an error of Northflank's client means to the port. It lets through what befalls an open websocket."""
    if isinstance(error, WebSocketException):
        return Transient(f"The connection to Northflank broke: {error}")
    said = f"Northflank answered {error.status or 'nothing of use'}: {error.message}"
    if error.status in (401, 403):
        return Denied(said)
    if error.status == 429:
        return Capacity(said)
    if error.status in (0, 408, 409) or error.status >= 500:
        return Transient(said)
    return BadSpec(said)
