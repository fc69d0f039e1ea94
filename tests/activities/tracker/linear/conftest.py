from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.activities.tracker.linear.desk import Desk, linear_desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with linear_desk(tmp_path) as desk:
        yield desk
