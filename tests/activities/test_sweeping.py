"""The schedule of what is swept: one that fails keeps neither the others nor its own next round."""

import asyncio
import logging
from datetime import datetime, timedelta

import pytest

from activities.sweeping import Swept, sweeping


async def test_sweeps_go_on_whatever_one_of_them_says(caplog: pytest.LogCaptureFixture) -> None:
    asked, often = list[str](), asyncio.Event()

    async def away(_: datetime) -> Swept:
        asked.append("away")
        raise OSError("the vendor is away")

    async def there(_: datetime) -> Swept:
        asked.append("there")
        if len(asked) == 4:
            often.set()
        return Swept(removed=("one",), failed=("two: in use",))

    with caplog.at_level(logging.WARNING):
        async with sweeping({"Old things": away, "Images": there}, pause=timedelta(0)):
            await asyncio.wait_for(often.wait(), 10)
    assert asked[:4] == ["away", "there"] * 2
    assert "Old things could not be looked for: the vendor is away" in caplog.messages
    assert "Images: removed ('one',); not removed ('two: in use',)." in caplog.messages
    count = len(asked)
    await asyncio.sleep(0.01)
    assert len(asked) == count, "and ends with the worker"
