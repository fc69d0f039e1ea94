"""What calls cost: the public price list, replaced or completed by the operator's own prices."""

import time
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

import genai_prices
from genai_prices import Usage, calc_price

from infra.gateway.settings import OwnPrice
from workflows.domain.model import Record

_PROBE = Usage(input_tokens=1, output_tokens=1)
_MILLION = Decimal(1_000_000)
_STEP = 50_000
_HOUR = 3_600


class Price(Record):
    """What some usage costs, and who says so."""

    usd: Decimal
    source: str
    version: str


class PriceList:
    """Prices by `provider:model`."""

    def __init__(self, own: Mapping[str, OwnPrice]) -> None:
        self._own = own

    def of(self, model: str, usage: Usage) -> Price | None:
        """The price of this usage; None when nobody has told it. Decimal, exact."""
        provider, _, name = model.partition(":")
        if own := self._own.get(model) or self._own.get(name):
            return Price(usd=_own_price(own, usage), source="PAWL_PRICES", version="")
        try:
            usd = calc_price(usage, name, provider_id=provider.removesuffix("-chat")).total_price
        except (LookupError, ValueError):
            return None
        return Price(usd=usd, source="genai-prices", version=genai_prices.__version__)

    def knows(self, model: str) -> bool:
        return self.of(model, _PROBE) is not None

    def worst(self, model: str, input_tokens: int, output_tokens: int) -> Decimal | None:
        """The most that so many tokens can cost: plain input or cache writes, whichever is dearer."""
        edge = max(1, -(-input_tokens // _STEP)) * _STEP
        rates = self._rates(model, edge, int(time.time()) // _HOUR)
        return rates and rates[0] * input_tokens + rates[1] * output_tokens

    @lru_cache(maxsize=1_024)  # noqa: B019 - a price list lives as long as its process
    def _rates(self, model: str, edge: int, _hour: int) -> tuple[Decimal, Decimal] | None:
        """Dollars per input and output token of a request of at most `edge` input tokens. Long requests cost more per
        token, so the edge is the dearest of its step; dated prices are looked up again every hour."""
        plain = Usage(input_tokens=edge)
        cached = Usage(input_tokens=edge, cache_write_tokens=edge)
        cached_1h = Usage(input_tokens=edge, cache_write_tokens=edge, cache_write_1h_tokens=edge)
        prices = [price.usd for usage in (plain, cached, cached_1h) if (price := self.of(model, usage))]
        answered = self.of(model, Usage(input_tokens=edge, output_tokens=edge))
        if not prices or answered is None:
            return None
        return max(prices) / edge, (answered.usd - prices[0]) / edge


def _own_price(own: OwnPrice, usage: Usage) -> Decimal:
    def tokens(name: str) -> Decimal:
        return Decimal(str(usage.reported_value(name)))

    read, written = tokens("cache_read_tokens"), tokens("cache_write_tokens")
    plain = tokens("input_tokens") - read - written
    cost = (
        plain * own.input_mtok
        + read * (own.input_mtok if own.cache_read_mtok is None else own.cache_read_mtok)
        + written * (own.input_mtok if own.cache_write_mtok is None else own.cache_write_mtok)
        + tokens("output_tokens") * own.output_mtok
    )
    return cost / _MILLION
