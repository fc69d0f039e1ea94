"""From what a provider says it used, or from bytes when it does not say, to tokens and dollars."""

from collections.abc import Mapping
from typing import Any

from genai_prices import Usage

from infra.gateway.budget import WorstCase
from infra.gateway.prices import PriceList
from infra.gateway.providers import counted
from infra.gateway.tables import Metered
from infra.gateway.wire import Flavour

_BYTES_PER_TOKEN = 3
"""For estimates of what was written; a little dear on purpose."""


class Meter:
    def __init__(self, prices: PriceList) -> None:
        self.prices = prices

    def complete(
        self, flavour: Flavour, model: str, said: Mapping[str, Any], worst: WorstCase, written: int
    ) -> Metered:
        """A whole answer: what the provider said, or the dearest that fits the bytes when it said nothing."""
        usage = counted(flavour, said)
        if usage is not None:
            return self.priced(model, usage)
        output = _by_bytes(written)
        if worst.output_tokens:
            output = min(output, worst.output_tokens)
        return self._estimated(model, Usage(input_tokens=worst.input_tokens, output_tokens=output))

    def cut(
        self,
        flavour: Flavour,
        model: str,
        said: Mapping[str, Any],
        worst: WorstCase,
        written: int,
        *,
        output_is_said: bool,
    ) -> Metered:
        """An answer that broke off after so many bytes: what the provider said, and what it did not say at its worst,
        because reasoning is billed and need not be streamed. Bytes count where no output limit was asked for."""
        usage = counted(flavour, said)
        if usage is None and worst.output_tokens:
            return self.unheard(worst)
        usage = usage or Usage(input_tokens=worst.input_tokens)
        if not output_is_said:
            so_far = int(usage.reported_value("output_tokens"))
            usage.output_tokens = max(worst.output_tokens or _by_bytes(written), so_far)
        return self._estimated(model, usage)

    def unheard(self, worst: WorstCase) -> Metered:
        """A call that was sent and of whose answer nothing is known: its worst case."""
        return Metered(
            input_tokens=worst.input_tokens,
            output_tokens=worst.output_tokens,
            estimated=True,
            usd=worst.usd,
            price_source="worst case",
        )

    def _estimated(self, model: str, usage: Usage) -> Metered:
        return self.priced(model, usage).model_copy(update={"estimated": True})

    def priced(self, model: str, usage: Usage) -> Metered:
        price = self.prices.of(model, usage)
        return Metered(
            input_tokens=int(usage.reported_value("input_tokens")),
            cached_tokens=int(usage.reported_value("cache_read_tokens")),
            cache_write_tokens=int(usage.reported_value("cache_write_tokens")),
            output_tokens=int(usage.reported_value("output_tokens")),
            usd=price and price.usd,
            price_source=price.source if price else "unknown",
            price_version=price.version if price else "",
        )


def _by_bytes(written: int) -> int:
    return -(-written // _BYTES_PER_TOKEN)
