"""What the conformance suite runs: the plain pipeline, and the one of this environment's orchestrator."""

import importlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared import plain
from shared.runtime.records import RunRecord
from shared.settings import Settings
from tests.conformance.on_cluster import LEAD_THERE, OnCluster, on_cluster
from tests.conftest import TOOL

PlainRecords = dict[tuple[tuple[str, str], ...], RunRecord]


@pytest.fixture(scope="session")
def engine(
    request: pytest.FixtureRequest, prepared_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, Settings], RunRecord]]:
    """The orchestrator's real engine, in this process or on two machines.

    `prepared_home` is here as it must be made before the settings lead to the machines' servers.
    """
    if request.config.getoption("--cluster"):
        with on_cluster(tmp_path_factory.mktemp("cluster")) as run:
            yield run
    else:
        yield importlib.import_module(f"{TOOL}_impl.run").run


@pytest.fixture
def in_process(request: pytest.FixtureRequest) -> None:
    """For a test of the command, which runs the month on the machine where it is given."""
    if request.config.getoption("--cluster"):
        pytest.skip("the run command does not run the month on the cluster")


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
    if isinstance(engine, OnCluster):  # which is the session's
        engine.empty()
    small = {"source": str(source), "min_rows": 100}
    asked: list[tuple[str, str]] = []
    waiting: list[tuple[str, Settings]] = []

    def run_tool(month: str = "2013-06", **changes: Any) -> RunRecord:
        return engine(month, Settings(tool=TOOL, **(small | changes)))

    def run_plain(month: str = "2013-06", **changes: Any) -> RunRecord:
        asked.append((month, repr(sorted(changes.items()))))
        waiting.append((month, Settings(tool="plain", **(small | changes))))
        if tuple(asked) not in plain_records:
            plain_records[tuple(asked)] = [run_here(*run) for run in waiting][-1]
            waiting.clear()
        return plain_records[tuple(asked)]

    return SimpleNamespace(plain=run_plain, tool=run_tool)


def run_here(month: str, settings: Settings) -> RunRecord:
    """The plain run, with all that it keeps in its home."""
    with pytest.MonkeyPatch.context() as patch:
        for name in LEAD_THERE:
            patch.delenv(name, raising=False)
        return plain.run(month, settings)
