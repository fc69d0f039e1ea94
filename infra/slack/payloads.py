"""Thin records of what Slack sends: only what is read, and nothing that must be there unless it is needed."""

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Part):
    type: str
    subtype: str = ""
    user: str = ""
    bot_id: str | None = None
    team: str = ""
    user_team: str = ""
    channel: str = ""
    text: str = ""
    ts: str = Field(default="", pattern=r"^(\d{1,12}\.\d{1,8})?$")
    thread_ts: str = Field(default="", pattern=r"^(\d{1,12}\.\d{1,8})?$")


class Authorization(Part):
    user_id: str = ""
    is_bot: bool = False


class EventCallback(Part):
    type: str
    challenge: str = Field(default="", max_length=1_000)
    team_id: str = ""
    event_id: str = Field(default="", max_length=150)
    event: Event | None = None
    authorizations: tuple[Authorization, ...] = ()
    is_ext_shared_channel: bool = False


class User(Part):
    id: str = Field(min_length=1, max_length=50)
    name: str = ""
    username: str = ""
    team_id: str = ""
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    is_bot: bool = False


class Channel(Part):
    id: str = Field(default="", max_length=50)


class Pressed(Part):
    action_id: str = ""
    value: str = ""
    action_ts: str = Field(default="0", pattern=r"^\d{1,12}(\.\d{1,8})?$")


class Typed(Part):
    value: str | None = None


class State(Part):
    values: dict[str, dict[str, Typed]] = {}


class View(Part):
    id: str = Field(default="", max_length=100)
    callback_id: str = ""
    private_metadata: str = ""
    state: State = State()


class Interaction(Part):
    type: str
    user: User
    trigger_id: str = Field(default="", max_length=150)
    response_url: str = ""
    channel: Channel = Channel()
    actions: tuple[Pressed, ...] = ()
    view: View = View()


class Command(Part):
    command: str = ""
    text: str = ""
    team_id: str = ""
    channel_id: str = Field(default="", max_length=50)
    user_id: str = Field(default="", max_length=50)
    user_name: str = ""
    trigger_id: str = Field(default="", max_length=150)
    ssl_check: str = ""
