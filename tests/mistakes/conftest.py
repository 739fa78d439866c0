"""The mistake that a test makes."""

from collections.abc import Callable

import pytest

from tests.conftest import TOOL
from tests.mistakes import Mistake


@pytest.fixture
def mistake(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Mistake:
    """The mistake after which the test is named, in the file of this environment's tool."""
    return Mistake(TOOL, request.node.name.removeprefix("test_"), record_property)
