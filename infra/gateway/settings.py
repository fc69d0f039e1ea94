"""What only the gateway may read: vendors' keys, where the vendors are, own prices."""

import json
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from workflows.domain.model import Record

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+", strip_whitespace=True)]


class OwnPrice(Record):
    """Dollars per million tokens. What is not said costs as much as plain input."""

    input_mtok: Decimal = Field(ge=0)
    output_mtok: Decimal = Field(ge=0)
    cache_read_mtok: Decimal | None = Field(default=None, ge=0)
    cache_write_mtok: Decimal | None = Field(default=None, ge=0)


def _decoded(prices: object) -> object:
    """Here and not in pydantic-settings, whose own error would not name the variable."""
    try:
        return json.loads(prices) if isinstance(prices, str) else prices
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error})") from error


Prices = Annotated[dict[str, OwnPrice], NoDecode, BeforeValidator(_decoded)]


class GatewaySettings(BaseSettings):
    """Read once, at the gateway's start. Keys stay in this process."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore", populate_by_name=True)

    anthropic_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="ANTHROPIC_API_KEY")
    openai_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="OPENAI_API_KEY")
    anthropic_base_url: Url = Field(default="https://api.anthropic.com", validation_alias="PAWL_ANTHROPIC_BASE_URL")
    openai_base_url: Url = Field(default="https://api.openai.com", validation_alias="PAWL_OPENAI_BASE_URL")
    prices: Prices = Field(default_factory=dict[str, OwnPrice], validation_alias="PAWL_PRICES")
    """Prices that replace or complete the public list, as JSON: `{"provider:model": {"input_mtok": 3, ...}}`."""
    answer_seconds: float = Field(default=900, gt=0, validation_alias="PAWL_ANSWER_SECONDS")
    """How long a provider may think before the first byte of a plain answer."""
    idle_seconds: float = Field(default=300, gt=0, validation_alias="PAWL_IDLE_SECONDS")
    """How long a stream may be silent before it counts as cut."""
    connections: int = Field(default=200, ge=1, validation_alias="PAWL_UPSTREAM_CONNECTIONS")
    """How many calls may be in flight at the providers at once; more wait their turn."""
