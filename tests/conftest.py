"""Fixtures for all tests: each session has its own tool home, each test a home of its own for data and MLflow."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.lib import tracking
from shared.settings import ROOT, Settings
from tests.scenario import Scenario

# The orchestrators read their settings when they are first imported: their home must be known before that.
(ROOT / ".local").mkdir(exist_ok=True)
SESSION_HOME = tempfile.TemporaryDirectory(dir=ROOT / ".local", prefix="tést home ")
os.environ["TRIPTYCH_HOME"] = SESSION_HOME.name

TOOL = next(tool for tool in ("airflow", "prefect", "dagster") if importlib.util.find_spec(tool))
"""The orchestrator of this environment."""

MAKE_DATABASE = {
    "airflow": "from airflow_impl import home; home.prepare()",
    "prefect": "from prefect_impl import home\nwith home.without_pages(): pass",
    "dagster": "from dagster_impl import home; home.instance()",
}

pytest_plugins = [f"tests.live.{TOOL}"]
PASSED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cluster", action="store_true", help="run the conformance suite on the tool's cluster")


def pytest_unconfigure() -> None:
    SESSION_HOME.cleanup()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Remember whether the test itself has passed; of one that is interrupted there is no report."""
    report = yield
    if call.when == "call":
        item.stash[PASSED] = report.passed
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the live tests first, those with an engine of their own last of them.

    The session's live engine is ended when it is needed no more: even idle, it takes half a core.
    """
    items.sort(key=lambda item: (not item.get_closest_marker("live"), bool(item.get_closest_marker("own_engine"))))


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every tenth flight of May and June 2013, with all weather: a small slice of the real data."""
    from shared.lib.source import default_source

    whole, folder = default_source(), tmp_path_factory.mktemp("vendor's drop é")
    for name in ("flights", "weather"):
        (folder / name).mkdir()
    for month in ("2013-05", "2013-06"):
        header, *lines = (whole / "flights" / f"{month}.csv").read_text().splitlines(keepends=True)
        (folder / "flights" / f"{month}.csv").write_text(header + "".join(lines[::10]))
        (folder / "weather" / f"{month}.csv").write_bytes((whole / "weather" / f"{month}.csv").read_bytes())
    for name in ("planes.csv", "airports.csv", "airlines.csv"):
        (folder / name).write_bytes((whole / name).read_bytes())
    return folder


@pytest.fixture(scope="session")
def prepared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with MLflow's and the tool's empty databases, to copy: making them takes longer than most of the tests."""
    folder = tmp_path_factory.mktemp("prepared")
    tracking.client(Settings(home=folder))
    env = {**os.environ, "TRIPTYCH_HOME": str(folder)}
    subprocess.run([sys.executable, "-c", MAKE_DATABASE[TOOL]], env=env, check=True, timeout=240)
    return folder


@pytest.fixture
def home(tmp_path: Path, prepared_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh home for data, models and records."""
    folder = tmp_path / "hôme of a test"
    shutil.copytree(prepared_home, folder)
    monkeypatch.setenv("TRIPTYCH_HOME", str(folder))
    return folder


@pytest.fixture
def scenario(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Iterator[Scenario]:
    """Records what the test observes under the names of the scenario.toml beside it."""
    live = request.node.get_closest_marker("live") is not None
    scenario = Scenario(request.path.parent, TOOL, live, record_property)
    yield scenario
    if request.node.stash.get(PASSED, False):
        scenario.check_complete()
