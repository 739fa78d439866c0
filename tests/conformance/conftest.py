"""What the conformance suite runs: the plain pipeline, and the one of this environment's orchestrator."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared import plain
from shared.runtime.records import RunRecord
from shared.settings import Settings
from tests.conftest import TOOL

Run = Callable[..., RunRecord]


@pytest.fixture(scope="session")
def engine() -> Callable[[str, Settings], RunRecord]:
    """The orchestrator's real engine."""
    return importlib.import_module(f"{TOOL}_impl.run").run


@pytest.fixture
def both(engine: Callable[[str, Settings], RunRecord], home: Path, source: Path) -> SimpleNamespace:
    """`both.plain(month, …)` and `both.tool(month, …)` run on the small slice; keywords change the settings."""

    def runner(tool: str, run: Callable[[str, Settings], RunRecord]) -> Run:
        small = {"source": str(source), "min_rows": 100}
        return lambda month="2013-06", **changes: run(month, Settings(tool=tool, **(small | changes)))

    return SimpleNamespace(plain=runner("plain", plain.run), tool=runner(TOOL, engine))
