"""The one base class of every record that is stored or sent."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen value. Unknown fields are ignored, so that an older worker reads a newer payload. Fields that have
    their default are not stored, so a default never changes: it would change tickets that are in flight."""

    model_config = ConfigDict(frozen=True, extra="ignore")
