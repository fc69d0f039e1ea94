"""The one base class of every record that is stored or sent."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen value. Unknown fields are ignored, so that an older worker reads a newer payload."""

    model_config = ConfigDict(frozen=True, extra="ignore")
