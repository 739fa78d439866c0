"""The live engine of the tests: Prefect's server, a work pool and a process worker, started once for a session.

The helpers read Prefect's own records. Prefect is imported late: each run's process imports the test files, too.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import pytest

import prefect_impl  # noqa: F401  (makes Prefect's settings: before any test file imports Prefect)
from shared.runtime import servers
from shared.settings import ROOT

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import State, TaskRun

T = TypeVar("T")
LIVE = ExitStack()
WAIT_SECONDS = 150.0
WORKER = {"PREFECT_WORKER_QUERY_SECONDS": "0.5"}  # looks for work twice a second, not every ten seconds

# The server writes events at once, not every 5 s, and a task that waits for its turn asks each second, not every 30 s.
os.environ["PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL"] = "0.2"
os.environ["PREFECT_SERVER_TASKS_TAG_CONCURRENCY_SLOT_WAIT_SECONDS"] = "1"


@cache
def server() -> str:
    """The URL of the API of the server that the pipeline's own command uses, too."""
    from prefect.settings import PREFECT_API_URL

    from prefect_impl.home import ensure_server

    ensure_server()
    return str(PREFECT_API_URL.value())


@cache
def pool() -> str:
    """The name of a work pool with a worker that lives as long as the session."""
    LIVE.enter_context(worker(server(), "live", Path(os.environ["PREFECT_HOME"])))
    return "live"


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
    env = {"PREFECT_API_URL": url, **WORKER}
    with servers.server(command, f"{url}/work_pools/{pool}", folder / "worker.log", env) as guard:
        yield int(Path(f"/proc/{guard.pid}/task/{guard.pid}/children").read_text().split()[0])


def start(flow: Flow[..., Any], pool: str, job: dict[str, Any] | None = None, **parameters: Any) -> UUID:
    """Deploy the flow to the pool and schedule a run now, in a process of its own; the run's id.

    `job` holds the pool's job variables, such as `env`.
    """
    from prefect.deployments import run_deployment
    from prefect.deployments.runner import EntrypointType

    # A command of one's own starts at once; else a second process looks first for what the flow requires.
    job = {"command": shlex.join([sys.executable, "-m", "prefect.engine"]), "working_dir": str(ROOT), **(job or {})}
    deployment = flow.to_deployment("live", work_pool_name=pool, entrypoint_type=EntrypointType.MODULE_PATH)
    return run_deployment(deployment.apply(), parameters=parameters, job_variables=job, timeout=0, as_subflow=False).id


def retry(run: UUID) -> None:
    """What `prefect flow-run retry` and the UI's button Retry do: schedule a run that has ended once more.

    A worker reports a crash twice, half a second apart: a retry in between would be Crashed at once.
    """
    from prefect.states import Scheduled

    poll(lambda: events("prefect.worker.executed-flow-run", run))
    with client() as api:
        api.set_flow_run_state(run, Scheduled(message="Retried"), force=True)


def client() -> SyncPrefectClient:
    from prefect.client.orchestration import get_client

    return get_client(sync_client=True)


def poll(look: Callable[[], T], seconds: float = WAIT_SECONDS) -> T:
    """What `look` returns as soon as it is true; fails if it isn't within the seconds."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"nothing seen within {seconds:.0f} s"
        time.sleep(0.1)
    return seen


def command(*words: object) -> subprocess.CompletedProcess[str]:
    """`prefect …` at the tests' server, with this test's result storage."""
    from prefect.settings import get_current_settings

    env = {**os.environ, **get_current_settings().to_environment_variables(exclude_unset=True)}
    call = [sys.executable, "-m", "prefect", *map(str, words)]
    return subprocess.run(call, env=env, capture_output=True, text=True, timeout=WAIT_SECONDS)


def events(name: str, run: UUID) -> list[dict[str, Any]]:
    """The events of that name about the flow run, or about what happened to it."""
    with client() as api:
        found = api.request("POST", "/events/filter", json={"filter": {"event": {"name": [name]}}, "limit": 50}).json()
    return [event for event in found["events"] if f"prefect.flow-run.{run}" in str(event)]


@contextmanager
def automatic_retry() -> Iterator[None]:
    """An automation that schedules a run again whenever it is Crashed."""
    from prefect.automations import Automation
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import EventTrigger

    crash = EventTrigger(expect={"prefect.flow-run.Crashed"}, threshold=1)
    again = ChangeFlowRunState(state=StateType.SCHEDULED, name="AwaitingRetry", force=True)
    automation = Automation(name="retry what crashed", trigger=crash, actions=[again]).create()
    try:
        yield
    finally:
        automation.delete()


def run_with(parameters: dict[str, Any]) -> UUID:
    """The newest flow run with these parameters."""
    from prefect.client.schemas.sorting import FlowRunSort

    with client() as api:
        runs = api.read_flow_runs(sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=20)
    return next(its.id for its in runs if its.parameters == parameters)


def pid(run: UUID) -> int:
    """The process of the run, as the worker wrote it down."""
    with client() as api:
        return int(api.read_flow_run(run).infrastructure_pid)


def state(run: UUID) -> State:
    with client() as api:
        return api.read_flow_run(run).state


def wait_for(run: UUID, *names: str) -> State:
    """The flow run's state, as soon as it has one of the names; by default as soon as it has ended."""
    return poll(lambda: (its := state(run)) and (its.name in names if names else its.is_final()) and its)


def task_runs(run: UUID, count: int) -> list[TaskRun]:
    """The flow run's task runs by name, as soon as `count` have ended: the server learns of them from events."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    def ended() -> list[TaskRun]:
        only = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
        with client() as api:
            found = api.read_task_runs(flow_run_filter=only)
        return found if sum(map(has_ended, found)) >= count else []

    return sorted(poll(ended) if count else ended(), key=lambda its: (its.name, its.expected_start_time))


def running(run: UUID) -> TaskRun:
    """A task run of the flow run that is Running, as soon as the server knows of one."""
    return poll(lambda: next((its for its in task_runs(run, 0) if its.state_name == "Running"), None))


def named(name: str, run: UUID) -> TaskRun:
    """The flow run's only task run of that name, when it has ended."""
    return poll(lambda: next((its for its in task_runs(run, 1) if its.name == name and has_ended(its)), None))


def has_ended(run: TaskRun) -> bool:
    """Whether the task run has a final state; the server may know of it before it knows any state."""
    return bool(run.state and run.state.is_final())


def run_history(run: UUID) -> list[State]:
    """All states that the flow run has had, in time."""
    with client() as api:
        return sorted(api.read_flow_run_states(run), key=lambda its: its.timestamp)


def history(run: TaskRun) -> list[State]:
    """All states that the task run has had, in time; the last of them may come late."""

    def states() -> list[State]:
        with client() as api:
            found = api.read_task_run_states(run.id)
        return found if any(its.is_final() for its in found) else []

    return sorted(poll(states), key=lambda its: its.timestamp)
