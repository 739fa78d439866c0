"""The live engine of the tests: Prefect's server, a work pool and a process worker, started once for a session.

The helpers read Prefect's own records. Prefect is imported late: each run's process imports the test files, too.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import copy_context
from datetime import timedelta
from functools import cache, wraps
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

import prefect_impl  # noqa: F401  (makes Prefect's settings: before any test file imports Prefect)
from shared.runtime import servers
from shared.settings import ROOT
from tests.live import watch

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.filters import LogFilter
    from prefect.client.schemas.objects import State, TaskRun
    from prefect.events.actions import ActionTypes
    from prefect.events.schemas.automations import EventTrigger

LIVE = ExitStack()
WAIT_SECONDS = 240.0
os.environ |= {name: str(value) for name, value in watch.changed_settings("prefect").items()}


@cache
def server() -> str:
    """The URL of the API of the server that the pipeline's own command uses, too."""
    from prefect.settings import PREFECT_API_URL

    from prefect_impl.home import ensure_server

    ensure_server()
    return str(PREFECT_API_URL.value())


@contextmanager
def own_server(port: int, folder: Path) -> Iterator[int]:
    """Run a server of the test's own, its database in the folder, until the block ends; yields its process id."""
    from prefect_impl.home import ENVIRONMENT

    command = [
        sys.executable,
        "-m",
        "prefect",
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--no-ui",
    ]
    health, env = f"http://127.0.0.1:{port}/api/health", {**ENVIRONMENT, "PREFECT_HOME": str(folder)}
    with servers.server(command, health, folder / "server.log", env) as guard:
        yield child(guard.pid)


@contextmanager
def pages(folder: Path) -> Iterator[str]:
    """Prefect's web UI over the tests' server, which has none of its own; yields its address."""
    import uvicorn
    from prefect.server.api.server import create_ui_app
    from prefect.settings import PREFECT_UI_API_URL, PREFECT_UI_STATIC_DIRECTORY, temporary_settings

    from prefect_impl.pages import Confined

    port = servers.free_port()
    with temporary_settings({PREFECT_UI_API_URL: server(), PREFECT_UI_STATIC_DIRECTORY: str(folder / "pages")}):
        app = Confined(create_ui_app(ephemeral=False))
        web = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
        thread = Thread(target=copy_context().run, args=[web.run])  # with these settings
        thread.start()
        try:
            watch.until(lambda: web.started)
            yield f"http://127.0.0.1:{port}"
        finally:
            web.should_exit = True
            thread.join()


@cache
def pool() -> str:
    """The name of a work pool with a worker that lives as long as the session."""
    LIVE.enter_context(worker(server(), "live", Path(os.environ["PREFECT_HOME"])))
    return "live"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not item.get_closest_marker("live"):  # they come last
        LIVE.close()


def pytest_unconfigure() -> None:
    LIVE.close()


@pytest.fixture
def results(tmp_path: Path) -> Iterator[Path]:
    """A result storage of the test's own: what one test has cached, no other one finds."""
    from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

    server()
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: tmp_path / "results"}):
        yield tmp_path / "results"


@contextmanager
def worker(url: str, pool: str, folder: Path) -> Iterator[int]:
    """Run `prefect worker start`, which makes the pool; yields the worker's process id."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"]
    log, env = folder / "worker.log", {"PREFECT_API_URL": url}
    with servers.server(command, f"{url}/work_pools/{pool}", log, env) as guard:
        yield child(guard.pid)


def child(pid: int) -> int:
    """The id of the process's first child."""
    return int(watch.until(Path(f"/proc/{pid}/task/{pid}/children").read_text).split()[0])


def start(
    flow: Flow[..., Any],
    pool: str,
    job: dict[str, Any] | None = None,
    idempotency_key: str | None = None,
    **parameters: Any,
) -> UUID:
    """Deploy the flow to the pool and schedule a run now, in a process of its own; the run's id.

    `job` holds the pool's job variables, such as `env`.
    """
    from prefect.deployments import run_deployment
    from prefect.deployments.runner import EntrypointType

    # A command of one's own starts at once; else a second process looks first for what the flow requires.
    job = {"command": shlex.join([sys.executable, "-m", "prefect.engine"]), "working_dir": str(ROOT), **(job or {})}
    deployment = flow.to_deployment("live", work_pool_name=pool, entrypoint_type=EntrypointType.MODULE_PATH)
    return run_deployment(
        deployment.apply(),
        parameters=parameters,
        job_variables=job,
        idempotency_key=idempotency_key,
        timeout=0,
        as_subflow=False,
    ).id


def retry(run: UUID) -> None:
    """What `prefect flow-run retry` and the UI's button Retry do: schedule a run that has ended once more.

    A worker reports a crash twice, half a second apart: a retry in between would be Crashed at once.
    """
    from prefect.states import Scheduled

    started = sum(state.is_running() for state in history(run))
    watch.until(lambda: len(events("prefect.worker.executed-flow-run", run)) >= started)
    with client() as api:
        api.set_flow_run_state(run, Scheduled(message="Retried"), force=True)


def wait(run: UUID, *names: str, seconds: float = WAIT_SECONDS) -> State:
    """The flow run's state, as soon as it has one of the names; by default as soon as it has ended."""

    def reached() -> State | None:
        now = state(run)
        return now if (now.name in names if names else now.is_final()) else None

    return watch.until(reached, seconds)


def kill(pid: int) -> None:
    """Send SIGKILL to the process, and wait until it is gone."""
    os.kill(pid, signal.SIGKILL)
    watch.until(lambda: not watch.alive(pid))


def again_if_the_database_was_locked(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test of automations up to three times, if it fails and SQLite was locked for too long meanwhile.

    The server then gives up an event, which it keeps in its dead letter queue, or logs a request or service that
    failed: one that may be tried again only a minute later.
    """

    @wraps(test)
    def run(**fixtures: Any) -> None:
        for attempt in (1, 2, 3):
            locked = times_locked()
            if "tmp_path" in fixtures:
                fixtures["tmp_path"] /= f"run {attempt}"
                fixtures["tmp_path"].mkdir()
            try:
                return test(**fixtures)
            except AssertionError as error:
                if attempt == 3 or times_locked() == locked:
                    raise
                print(f"the server's database was locked for too long, so that the test runs again: {error}")

    return run


def times_locked() -> int:
    """How often the database was locked for longer than the server waits, since it has a home."""
    home = Path(os.environ["PREFECT_HOME"])
    logged = sum(log.read_text(errors="replace").count("database is locked") for log in home.glob("server*.log"))
    return logged + len(list(home.glob("dlq/*")))


@contextmanager
def automation(name: str, trigger: EventTrigger, action: ActionTypes) -> Iterator[None]:
    """Let the server watch for the trigger and answer it with the action, until the block ends."""
    from prefect.automations import Automation

    created = Automation(name=name, trigger=trigger, actions=[action]).create()
    try:
        yield
    finally:
        created.delete()


def crash_silent(flow: str) -> AbstractContextManager[None]:
    """An automation that gives a run of the flow up whose process has sent no heartbeat for 45 seconds."""
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import EventTrigger, Posture

    told = ("heartbeat", "Completed", "Failed", "Cancelled", "Crashed")
    silent = EventTrigger(
        after={"prefect.flow-run.heartbeat"},
        expect={f"prefect.flow-run.{event}" for event in told},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={"prefect.resource.role": "flow", "prefect.resource.name": flow},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=45),
    )
    crash = ChangeFlowRunState(state=StateType.CRASHED, message="no heartbeat any more")
    return automation(f"crash {flow} when silent", silent, crash)


def rerun_crashed(flow: str, retries: int) -> AbstractContextManager[None]:
    """An automation that schedules a Crashed run of the flow again, as often as `retries` says.

    It waits for 10 s, as a worker reports a crash twice, and each report would schedule the run once more.
    """
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import EventTrigger, Posture

    begun = [str(count) for count in range(1, retries + 1)]
    crashed = EventTrigger(
        after={"prefect.flow-run.Crashed"},
        expect={"prefect.flow-run.Running"},
        match={"prefect.resource.id": "prefect.flow-run.*", "prefect.run-count": begun},
        match_related=[
            {"prefect.resource.role": "flow", "prefect.resource.name": flow},
            {"prefect.resource.role": "deployment"},  # nobody would start another run
        ],
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=10),
    )
    again = ChangeFlowRunState(state=StateType.SCHEDULED, name="AwaitingRetry", force=True)
    return automation(f"run crashed {flow} again", crashed, again)


def client() -> SyncPrefectClient:
    """A client of the API, to be entered as often as one likes."""
    from prefect.settings import PREFECT_API_URL

    return open_client(PREFECT_API_URL.value())


@cache
def open_client(url: str) -> SyncPrefectClient:
    """One that stays open: to make one takes longer than to ask ten times."""
    from prefect.client.orchestration import get_client

    return get_client(sync_client=True).__enter__()


def command(*words: object) -> subprocess.CompletedProcess[str]:
    """Run `prefect …` at the tests' server, with this test's result storage."""
    from prefect.settings import get_current_settings

    env = {**os.environ, **get_current_settings().to_environment_variables(exclude_unset=True)}
    call = [sys.executable, "-m", "prefect", *map(str, words)]
    return subprocess.run(call, env=env, capture_output=True, text=True, timeout=WAIT_SECONDS)


def pid(run: UUID) -> int:
    """The process of the run, as the worker wrote it down."""
    with client() as api:
        return int(api.read_flow_run(run).infrastructure_pid)


def state(run: UUID) -> State:
    """The flow run's state now."""
    with client() as api:
        return api.read_flow_run(run).state


def history(run: UUID) -> list[State]:
    """All states that the flow run has had, in time."""
    with client() as api:
        return sorted(api.read_flow_run_states(run), key=lambda state: state.timestamp)


def log(run: UUID) -> list[str]:
    """The messages that the flow run and its tasks have logged, in time."""
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    return messages(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run])))


def log_of_task(task_run: TaskRun) -> list[str]:
    """The messages that the task run has logged, in time."""
    from prefect.client.schemas.filters import LogFilter, LogFilterTaskRunId

    return messages(LogFilter(task_run_id=LogFilterTaskRunId(any_=[task_run.id])))


def messages(wanted: LogFilter) -> list[str]:
    with client() as api:
        lines = api.read_logs(wanted)
    return [line.message for line in sorted(lines, key=lambda line: line.timestamp)]


def events(name: str, run: UUID) -> list[dict[str, Any]]:
    """The events of that name about the flow run, or about what happened to it."""
    with client() as api:
        found = api.request("POST", "/events/filter", json={"filter": {"event": {"name": [name]}}, "limit": 50}).json()
    return [event for event in found["events"] if f"prefect.flow-run.{run}" in str(event)]


def run_with(parameters: dict[str, Any]) -> UUID:
    """The newest flow run with these parameters."""
    from prefect.client.schemas.sorting import FlowRunSort

    with client() as api:
        runs = api.read_flow_runs(sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=20)
    return next(run.id for run in runs if run.parameters == parameters)


def task_runs(run: UUID, count: int = 0) -> list[TaskRun]:
    """The flow run's task runs by name, as soon as `count` have ended: the server learns of them from events."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    def found() -> list[TaskRun]:
        with client() as api:
            return api.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])))

    watch.until(lambda: sum(map(has_ended, found())) >= count, WAIT_SECONDS)
    return sorted(found(), key=lambda task_run: (task_run.name, task_run.expected_start_time))


def has_ended(task_run: TaskRun) -> bool:
    """Whether the task run has a final state; the server may know of it before it knows any state."""
    return bool(task_run.state and task_run.state.is_final())


def states(run: UUID, count: int = 0) -> dict[str, str]:
    """The state of each task run by its name, as soon as `count` have ended; of two of one name, the later one's."""
    return {task_run.name: task_run.state_name for task_run in task_runs(run, count)}


def attempts(run: UUID, count: int = 0) -> dict[str, int]:
    """How often each task was tried, by its name, as soon as `count` task runs have ended; a Cached one was not."""
    tries: dict[str, int] = {}
    for task_run in task_runs(run, count):
        tried = 0 if task_run.state_name == "Cached" else task_run.run_count
        tries[task_run.name] = tries.get(task_run.name, 0) + tried
    return tries


def running(run: UUID) -> TaskRun:
    """A task run of the flow run that is Running, as soon as the server knows of one."""
    return watch.until(lambda: next((found for found in task_runs(run) if found.state_name == "Running"), None))


def task_run(name: str, run: UUID) -> TaskRun:
    """The flow run's only task run of that name, when it has ended."""
    return watch.until(
        lambda: next((found for found in task_runs(run, 1) if found.name == name and has_ended(found)), None)
    )


def task_history(task_run: TaskRun) -> list[State]:
    """All states that the task run has had, in time; the last of them may come late."""

    def ended() -> list[State] | None:
        with client() as api:
            states = api.read_task_run_states(task_run.id)
        return states if any(state.is_final() for state in states) else None

    return sorted(watch.until(ended, WAIT_SECONDS), key=lambda state: state.timestamp)


def delays(task_run: TaskRun) -> list[float]:
    """Seconds that the task run had to wait for each further try, from AwaitingRetry to the scheduled time."""
    waits = [state for state in task_history(task_run) if state.name == "AwaitingRetry"]
    return [(state.state_details.scheduled_time - state.timestamp).total_seconds() for state in waits]
