"""How values travel through Temporal: JSON of pydantic models, without what is as it always is."""

from typing import Any

from pydantic_core import SchemaSerializer, core_schema
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter, DefaultPayloadConverter

_ANYTHING = SchemaSerializer(core_schema.any_schema())


class _WithoutDefaults(PydanticJSONPlainPayloadConverter):
    """Most fields of most records have their defaults, in every event of every history. Leaving them out makes
    histories a good part smaller and the payloads in the UI readable. The price: a default is part of what is stored,
    so it is never changed; a record gets another field instead."""

    def to_payload(self, value: Any) -> Payload | None:
        data = _ANYTHING.to_json(value, exclude_defaults=True)
        return Payload(metadata={"encoding": self.encoding.encode()}, data=data)


class _Converter(CompositePayloadConverter):
    def __init__(self) -> None:
        json = _WithoutDefaults()
        others = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(*(json if other.encoding == json.encoding else other for other in others))


DATA_CONVERTER = DataConverter(payload_converter_class=_Converter)
"""The one converter of client, worker, tests and replayer."""
