"""Dagster's live engine: webserver, daemon and code servers, started once for all the tests of a session.

A test's runs work in the test's own home and obey its own `Kill`, although the engine's environment is fixed: it names
two symbolic links, which each test turns to its folders.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import httpx
import pytest
import yaml

from shared.runtime.records import RunRecord
from shared.runtime.servers import free_port, server
from shared.settings import ROOT, Settings, default_home
from tests.faults import Kill

FOLDER = default_home() / "engine"  # of the session: no test has set a home of its own yet
STOP = ExitStack()
T = TypeVar("T")

CONFIG = {
    "run_monitoring": {"enabled": True, "poll_interval_seconds": 1},
    "run_coordinator": {
        "module": "dagster._core.run_coordinator.queued_run_coordinator",
        "class": "QueuedRunCoordinator",
        "config": {"dequeue_interval_seconds": 1, "dequeue_use_threads": True},
    },
}
"""The product's dagster.yaml, with a daemon that looks every second."""

LAUNCH = """mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""


REEXECUTE = """mutation ($params: ReexecutionParams!) {
  launchRunReexecution(reexecutionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}"""


@dg.definitions
def scenarios() -> dg.Definitions:
    """The little jobs of the live tests, as a code location beside the pipeline's."""
    from tests.dynamic_tasks import test_dagster as dynamic_tasks
    from tests.retries import test_dagster as retries

    return dg.Definitions(jobs=[*dynamic_tasks.LIVE, *retries.LIVE_JOBS], assets=retries.LIVE_ASSETS)


def until(condition: Callable[[], T], seconds: float = 120) -> T:
    """The condition's value as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{condition} was not true within {seconds:.0f} s")
        time.sleep(0.1)
    return value


class Engine:
    """What the UI does, through its API: launch a run and read how it went."""

    def __init__(self, url: str, instance: dg.DagsterInstance | None = None) -> None:
        self.url, self.instance = url, instance

    def query(self, query: str, **variables: Any) -> Any:
        asked = {"query": query, "variables": variables}
        answer = httpx.post(f"{self.url}/graphql", json=asked, timeout=60, trust_env=False).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def launch(
        self, job: str, config: Any = None, tags: dict[str, str] | None = None, location: str = "tests.live.dagster"
    ) -> str:
        """Launch a run of the job, and return its id."""
        selector = {"repositoryLocationName": location, "repositoryName": "__repository__", "jobName": job}
        metadata = {"tags": [{"key": key, "value": value} for key, value in (tags or {}).items()]}
        params = {"selector": selector, "runConfigData": config or {}, "executionMetadata": metadata}
        launched = self.query(LAUNCH, params=params)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run_id: str = launched["run"]["runId"]
        return run_id

    def launch_pipeline(self, month: str, settings: Settings, location: str = "dagster_impl.definitions") -> str:
        """Launch the real pipeline for a month."""
        config = settings.model_dump(mode="json", include={"source", "min_rows", "families", "seed"})
        resources = {"resources": {"settings": {"config": config}}}
        return self.launch("retrain", resources, {"dagster/partition": month}, location)

    def run(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run
        return run

    def ended(self, run_id: str, seconds: float = 120) -> dg.DagsterRun:
        """The run when it has ended."""
        until(lambda: self.run(run_id).is_finished, seconds)
        return self.run(run_id)

    def retry(self, run_id: str, seconds: float = 30) -> str:
        """The id of the daemon's automatic retry of the run.

        Seldom the daemon loses one: it reads the failure's event before the run's state is written, and never looks
        again. Then this does what a person does: re-execute the run, with the strategy of its tag.
        """
        try:
            return until(lambda: self.run(run_id).tags.get("dagster/auto_retry_run_id", ""), seconds)
        except TimeoutError:
            strategy = self.run(run_id).tags.get("dagster/retry_strategy", "FROM_FAILURE")
            params = {"parentRunId": run_id, "strategy": strategy, "useParentRunTags": True}
            launched = self.query(REEXECUTE, params=params)["launchRunReexecution"]
            assert launched["__typename"] == "LaunchRunSuccess", launched
            return str(launched["run"]["runId"])

    def retried(self, run_id: str) -> dg.DagsterRun:
        """The retry of the run, when it has ended."""
        return self.ended(self.retry(run_id))

    def event(self, run_id: str, kind: dg.DagsterEventType) -> dg.EventLogEntry:
        """The run's first event of the kind, as soon as it is there."""
        return until(lambda: self.instance.all_logs(run_id, of_type=kind))[0]

    def pid(self, run_id: str, step: str | None = None) -> int:
        """The process of the run, or of one of its steps, as the event log has it."""

        def found() -> int | None:
            for entry in self.instance.all_logs(run_id, of_type=kinds):
                event = entry.dagster_event
                if event and event.step_key == step and "pid" in getattr(event.event_specific_data, "metadata", ()):
                    return int(event.event_specific_data.metadata["pid"].value)
            return None

        kinds = {dg.DagsterEventType.ENGINE_EVENT, dg.DagsterEventType.STEP_WORKER_STARTED}
        return until(found)

    def times(self, run_id: str) -> tuple[float, float]:
        """When the run began and ended."""
        record = self.instance.get_run_record_by_id(run_id)
        assert record
        return record.start_time or 0, record.end_time or 0

    def said(self, run_id: str) -> list[str]:
        """The messages of the run's events."""
        return [its.user_message or its.message for its in self.instance.all_logs(run_id)]


@cache
def engine() -> Engine:
    """The engine, started at the first call; the session's end stops it."""
    from dagster_impl.home import CONFIG as PRODUCT

    home, port = FOLDER / "dagster", free_port()
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(yaml.safe_dump(yaml.safe_load(PRODUCT.read_text()) | CONFIG))
    locations = ["dagster_impl.definitions", "tests.live.dagster"]
    modules = [{"python_module": {"module_name": name, "working_directory": str(ROOT)}} for name in locations]
    (home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": modules}))
    instance = STOP.enter_context(dg.DagsterInstance.from_config(str(home)))
    env = {
        "DAGSTER_HOME": str(home),
        "DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS": "1",
        "TRIPTYCH_HOME": str(FOLDER / "home"),
        "PYTHONPATH": Kill(FOLDER / "kill").env["PYTHONPATH"],
        "TEST_KILL_ORDER": str(FOLDER / "kill" / "kill"),
    }
    where = ["--host", "127.0.0.1", "--port", str(port), "--workspace", str(home / "workspace.yaml")]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "dev", *where]
    STOP.enter_context(server(command, f"{url}/server_info", FOLDER / "engine.log", env))
    return Engine(url, instance)


def turn(link: str, target: Path) -> None:
    """Let the link point to the folder."""
    FOLDER.mkdir(exist_ok=True)
    target.mkdir(parents=True, exist_ok=True)
    new = FOLDER / f"{link}.new"
    new.symlink_to(target)
    new.replace(FOLDER / link)


def engine_for(home: Path, kill: Kill) -> Engine:
    """The engine, working in the home and obeying the kill."""
    turn("home", home)
    turn("kill", kill.order.parent)
    return engine()


class Pipeline:
    """The real pipeline on the small slice, run in this process; `instance` has the record of its runs."""

    def __init__(self, source: Path) -> None:
        from dagster_impl.run import engine, run

        self.job, self.instance = engine()
        self.run, self.small = run, {"source": str(source), "min_rows": 100}

    def settings(self, **changes: Any) -> Settings:
        return Settings(**{"tool": "dagster", **self.small, **changes})

    def __call__(self, **changes: Any) -> RunRecord:
        """Run it for June 2013; keywords change the settings."""
        return self.run("2013-06", self.settings(**changes))


@pytest.fixture
def pipeline(home: Path, source: Path) -> Pipeline:
    return Pipeline(source)


@pytest.fixture
def kill(tmp_path: Path) -> Kill:
    return Kill(tmp_path)


@pytest.fixture
def live(home: Path, kill: Kill) -> Engine:
    """The engine, working in the home of this test."""
    return engine_for(home, kill)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A persistent instance of the test's own, for what runs in this process."""
    (tmp_path / "dagster").mkdir()
    quiet = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster"), overrides=quiet) as its:
        yield its


def pytest_sessionfinish() -> None:
    STOP.close()
