"""Dagster's live engine: webserver, daemon and code servers, started once for all the tests of a session.

A test's runs work in the test's own home and obey its own `Kill`, although the engine's environment is fixed: it names
two symbolic links, which each test turns to its folders.
"""

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
import yaml
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus

from shared.runtime.records import RunRecord
from shared.runtime.servers import free_port, server
from shared.settings import ROOT, Settings, default_home
from tests.faults import Kill
from tests.live.watch import changed_settings, until

FOLDER = default_home() / "engine"  # of the session: no test has set a home of its own yet
STOP = ExitStack()
PIPELINE, SCENARIOS = "dagster_impl.definitions", "tests.live.dagster_location"  # code locations
READ_FAILURES = f"EVENT_LOG_CONSUMER_CURSOR-{dg.DagsterEventType.RUN_FAILURE.value}"  # the daemon's place in the log

FORKSERVER = {"start_method": {"forkserver": {"preload_modules": ["tests.live.dagster_location"]}}}
"""For the multiprocess executor: a step's process is forked from one that has loaded the jobs, else each loads them."""

LOCATIONS = """{
  workspaceOrError {
    ... on Workspace {
      locationEntries { loadStatus locationOrLoadError { __typename ... on PythonError { message } } }
    }
  }
}"""

LAUNCH = """mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message causes { message } }
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

START_SENSOR = """mutation ($selector: SensorSelector!) {
  startSensor(sensorSelector: $selector) { __typename ... on Sensor { id } ... on PythonError { message } }
}"""
STOP_SENSOR = "mutation ($id: String!) { stopSensor(id: $id) { __typename } }"


def attempts(instance: dg.DagsterInstance, run_id: str) -> dict[str, int]:
    """How often each step of the run was tried, as Dagster counts."""
    return {step.step_key: step.attempts for step in instance.get_run_step_stats(run_id) if step.attempts}


def states(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    """Each step's state, as the event log has it; a step without an event has none."""
    return {step.step_key: step.status.value for step in instance.get_run_step_stats(run_id) if step.status}


def delays(instance: dg.DagsterInstance, run_id: str, step: str = "") -> list[float]:
    """The delays that Dagster recorded before each retry of the run's steps, or of one step."""
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_UP_FOR_RETRY)
    found = [entry.dagster_event for entry in events if step in ("", entry.step_key)]
    return [round(event.step_retry_data.seconds_to_wait, 2) for event in found if event]


def log(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """The messages of the run's events."""
    return [entry.user_message or entry.message for entry in instance.all_logs(run_id)]


def children(pid: int) -> list[int]:
    """The process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command(pid: int) -> bytes:
    """The process's command line."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


class Engine:
    """What the UI does, through its API: launch a run and read how it went."""

    def __init__(self, url: str, instance: dg.DagsterInstance | None = None, guard: int = 0) -> None:
        self.url, self.instance, self.guard = url, instance, guard
        self.http = httpx.Client(timeout=60, trust_env=False)

    def query(self, query: str, **variables: Any) -> Any:
        asked = {"query": query, "variables": variables}
        answer = self.http.post(f"{self.url}/graphql", json=asked).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def has_loaded(self) -> bool:
        """Whether each code location has been loaded: until then the web server knows no job of it."""
        entries = self.query(LOCATIONS)["workspaceOrError"]["locationEntries"]
        found = [entry["locationOrLoadError"] for entry in entries if entry["loadStatus"] == "LOADED"]
        assert not [each for each in found if each and "message" in each], found
        return len(found) == len(entries) and all(found)

    def start(self, job: str, config: Any = None, tags: dict[str, str] | None = None) -> str:
        """Launch a run of a scenario's job, such as `r7_obvious` in the repository `r7`; returns the run's id."""
        return self.launch(SCENARIOS, job.partition("_")[0], job, config, tags or {})

    def start_pipeline(
        self, month: str, settings: Settings, tags: dict[str, str] | None = None, location: str = PIPELINE
    ) -> str:
        """Launch the real pipeline for a month."""
        config = settings.model_dump(mode="json", include={"source", "min_rows", "families", "seed"})
        resources = {"resources": {"settings": {"config": config}}}
        return self.launch(
            location, "__repository__", "retrain", resources, {"dagster/partition": month, **(tags or {})}
        )

    def launch(self, location: str, repository: str, job: str, config: Any, tags: dict[str, str]) -> str:
        selector = {"repositoryLocationName": location, "repositoryName": repository, "jobName": job}
        metadata = {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
        params = {"selector": selector, "runConfigData": config or {}, "executionMetadata": metadata}
        launched = self.query(LAUNCH, params=params)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run_id: str = launched["run"]["runId"]
        return run_id

    def reexecute(self, run_id: str) -> str:
        """What the UI's button "Re-execute from failure" does; returns the new run's id."""
        launched = self.query(REEXECUTE, params={"parentRunId": run_id, "strategy": "FROM_FAILURE"})
        assert launched["launchRunReexecution"]["__typename"] == "LaunchRunSuccess", launched
        return str(launched["launchRunReexecution"]["run"]["runId"])

    @contextmanager
    def sensor(self, location: str, repository: str, name: str) -> Iterator[None]:
        """Let the sensor run until the block ends.

        What has happened before its first tick, a sensor on runs leaves alone; the block begins after it.
        """
        began = time.time()
        selector = {"repositoryLocationName": location, "repositoryName": repository, "sensorName": name}
        sensor = self.query(START_SENSOR, selector=selector)["startSensor"]
        assert sensor["__typename"] == "Sensor", sensor
        try:
            until(lambda: self.ticks(name, began))
            yield
        finally:
            self.query(STOP_SENSOR, id=sensor["id"])

    def ticks(self, name: str, since: float = 0.0) -> list[InstigatorTick]:
        """The sensor's ticks that began after a time and have ended, the first one first."""
        (state,) = [state for state in self.instance.all_instigator_state() if state.instigator_name == name]
        ticks = self.instance.get_ticks(state.instigator_origin_id, state.selector_id, after=since)
        return [tick for tick in reversed(ticks) if tick.status != TickStatus.STARTED]

    def run(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run
        return run

    def wait(self, run_id: str, seconds: float = 240) -> dg.DagsterRun:
        """The run when it has ended."""
        until(lambda: self.run(run_id).is_finished, seconds)
        return self.run(run_id)

    def retry(self, run_id: str) -> str:
        """The id of the run that the daemon has launched to retry this one; AssertionError if it launches none.

        The daemon reads a failure once; if it does so in the moment before the run's state is written, it never retries
        the run. That is seldom, and not what a test asks, so that the daemon reads all failures once more then.
        """

        def launched() -> str:
            return self.run(run_id).tags.get("dagster/auto_retry_run_id", "")

        with suppress(AssertionError):
            return until(launched, 45)
        assert self.run(run_id).tags["dagster/will_retry"] == "true"
        self.instance.daemon_cursor_storage.set_cursor_values({READ_FAILURES: "0"})
        return until(launched)

    def event(self, run_id: str, kind: dg.DagsterEventType, step: str | None = None) -> dg.EventLogEntry:
        """The run's first event of the kind, as soon as it is there; of any step, or of one."""

        def found() -> list[dg.EventLogEntry]:
            entries = self.instance.all_logs(run_id, of_type=kind)
            return [entry for entry in entries if step in (None, entry.step_key)]

        return until(found)[0]

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

    def kill(self, pid: int) -> float:
        """Send SIGKILL to the process; returns when."""
        os.kill(pid, signal.SIGKILL)
        return time.time()

    def control_plane(self) -> list[int]:
        """The processes of `dagster dev`, of its web server and of its daemon; not those of its code servers."""
        (dev,) = children(self.guard)
        services = [pid for pid in children(dev) if re.search(b"dagster_webserver|dagster._daemon", command(pid))]
        assert len(services) == 2, services
        return [dev, *services]

    def times(self, run_id: str) -> tuple[float, float]:
        """When the run began and ended."""
        record = self.instance.get_run_record_by_id(run_id)
        assert record
        return record.start_time or 0, record.end_time or 0


@contextmanager
def started(folder: Path, env: dict[str, str], locations: dict[str, Path]) -> Iterator[Engine]:
    """Run `dagster dev` with the product's dagster.yaml and the changed settings, until the block ends.

    `locations` are the code locations: modules, and the folders in which they are found.
    """
    from dagster_impl.home import CONFIG

    home, port = folder / "dagster", free_port()
    home.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_load(CONFIG.read_text())
    for name, value in changed_settings("dagster").items():
        if name.isupper():
            env = env | {name: str(value)}
        else:
            *sections, key = name.split(".")
            section = config
            for each in sections:
                section = section[each]
            section[key] = value
    (home / "dagster.yaml").write_text(yaml.safe_dump(config))
    modules = [
        {"python_module": {"module_name": name, "working_directory": str(path)}} for name, path in locations.items()
    ]
    (home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": modules}))
    where = ["--host", "127.0.0.1", "--port", str(port), "--workspace", str(home / "workspace.yaml")]
    url, env = f"http://127.0.0.1:{port}", env | {"DAGSTER_HOME": str(home)}
    dev = [sys.executable, "-W", "ignore", "-m", "dagster", "dev", *where]
    with (
        dg.DagsterInstance.from_config(str(home)) as instance,
        server(dev, f"{url}/server_info", folder / "engine.log", env) as guard,
    ):
        engine = Engine(url, instance, guard.pid)
        until(engine.has_loaded)
        yield engine


@cache
def engine() -> Engine:
    """The engine, started at the first call; the session's end stops it."""
    env = {
        "TRIPTYCH_HOME": str(FOLDER / "home"),
        "PYTHONPATH": Kill(FOLDER / "kill").env["PYTHONPATH"],
        "TEST_KILL_ORDER": str(FOLDER / "kill" / "kill"),
    }
    return STOP.enter_context(started(FOLDER, env, {PIPELINE: ROOT, SCENARIOS: ROOT}))


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
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster"), overrides=quiet) as local:
        yield local


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not item.get_closest_marker("live") or item.get_closest_marker("own_engine"):  # they come last
        STOP.close()


def pytest_sessionfinish() -> None:
    STOP.close()
