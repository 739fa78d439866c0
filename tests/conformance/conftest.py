"""What the conformance suite runs: the plain pipeline, and the one of this environment's orchestrator."""

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared import plain
from shared.runtime.records import RunRecord
from shared.settings import Settings
from tests.conftest import TOOL

PlainRecords = dict[tuple[tuple[str, str], ...], RunRecord]


@pytest.fixture(scope="session")
def engine() -> Callable[[str, Settings], RunRecord]:
    """The orchestrator's real engine."""
    return importlib.import_module(f"{TOOL}_impl.run").run


@pytest.fixture(scope="session")
def plain_records() -> PlainRecords:
    """What the plain run gave in this session, by all that was run before it in the same home."""
    return {}


@pytest.fixture
def both(
    engine: Callable[[str, Settings], RunRecord], plain_records: PlainRecords, home: Path, source: Path
) -> SimpleNamespace:
    """`both.plain(month, …)` and `both.tool(month, …)` run on the small slice; keywords change the settings."""
    return plain_and_tool(engine, plain_records, source)


@pytest.fixture(scope="session")
def first_month(
    engine: Callable[[str, Settings], RunRecord],
    plain_records: PlainRecords,
    prepared_home: Path,
    source: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> SimpleNamespace:
    """A first run for tests that only look at it: the records `plain` and `tool`, and the tool's `settings`."""
    home = tmp_path_factory.mktemp("first") / "month é"
    shutil.copytree(prepared_home, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_HOME", str(home))
        both = plain_and_tool(engine, plain_records, source)
        return SimpleNamespace(plain=both.plain(), tool=both.tool(), settings=Settings(tool=TOOL))


def plain_and_tool(
    engine: Callable[[str, Settings], RunRecord], plain_records: PlainRecords, source: Path
) -> SimpleNamespace:
    """Run either in the home of this test.

    What the plain run gives after the same runs is the same each time, so that it is run once a session.
    """
    small = {"source": str(source), "min_rows": 100}
    asked: list[tuple[str, str]] = []
    waiting: list[tuple[str, Settings]] = []

    def run_tool(month: str = "2013-06", **changes: Any) -> RunRecord:
        return engine(month, Settings(tool=TOOL, **(small | changes)))

    def run_plain(month: str = "2013-06", **changes: Any) -> RunRecord:
        asked.append((month, repr(sorted(changes.items()))))
        waiting.append((month, Settings(tool="plain", **(small | changes))))
        if tuple(asked) not in plain_records:
            plain_records[tuple(asked)] = [plain.run(*run) for run in waiting][-1]
            waiting.clear()
        return plain_records[tuple(asked)]

    return SimpleNamespace(plain=run_plain, tool=run_tool)
