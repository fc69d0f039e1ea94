"""How values travel through Temporal: JSON of pydantic models, without what nobody set."""

from temporalio.contrib.pydantic import PydanticPayloadConverter, ToJsonOptions
from temporalio.converter import DataConverter


class _OnlyWhatIsSet(PydanticPayloadConverter):
    """Most fields of most records keep their defaults, in every event of every history. Leaving them out makes
    histories a good part smaller and the payloads in the UI readable. The price: a default is part of what is stored,
    so it is never changed; a record gets another field instead."""

    def __init__(self) -> None:
        super().__init__(ToJsonOptions(exclude_unset=True))


DATA_CONVERTER = DataConverter(payload_converter_class=_OnlyWhatIsSet)
"""The one converter of client, worker, tests and replayer."""
