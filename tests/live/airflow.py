"""The live engine of the tests: what `airflow standalone` runs, started once for all of a session's tests.

Airflow's processes import the test files too, for the Dags in them, so nothing heavy is imported at their top.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest

from shared.runtime.records import RunRecord
from shared.runtime.servers import answers, free_port, server
from shared.settings import ROOT, Settings
from tests.faults import Kill
from tests.live.watch import changed_settings, parent, until

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG

CHANGED = {
    f"AIRFLOW__{name.replace('.', '__').upper()}": str(value) for name, value in changed_settings("airflow").items()
}
"""The settings that the tests change (settings.toml), as Airflow reads them from the environment."""

IDLE = {"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1"}
"""Airflow's default: with the 0.2 s of `make airflow-ui` the scheduler works more while there is nothing to do."""

BUNDLES = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
ENDED = ("success", "failed")
RUNNING = contextlib.ExitStack()
SESSION: dict[str, Path] = {}


def pytest_configure() -> None:
    """Airflow's settings, before its first import: the product's, and for each test a bundle with its Dags.

    One bundle for all would be read as a whole by each `dag.test()`.
    """
    import airflow_impl  # noqa: F401

    SESSION["home"] = Path(os.environ["TRIPTYCH_HOME"])
    SESSION["dags"] = SESSION["home"] / "dags of the tests"
    tests = sorted((ROOT / "tests").glob("*/*/test_airflow.py"))
    bundles = [product_bundle(), *(bundle_of(test, SESSION["dags"] / test.parent.name) for test in tests)]
    os.environ[BUNDLES] = json.dumps(bundles)
    add_plugins()


def add_plugins() -> None:
    """A folder of plugins, which has the product's and those of the tests."""
    folder = SESSION["home"] / "plugins"
    folder.mkdir()
    product = Path(os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"])
    tests = {f"{plugin.parent.name}.py": plugin for plugin in (ROOT / "tests").glob("*/*/airflow_plugin.py")}
    for name, plugin in ({plugin.name: plugin for plugin in product.glob("*.py")} | tests).items():
        (folder / name).symlink_to(plugin)
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(folder)


class Run(NamedTuple):
    """One run of a Dag."""

    dag_id: str
    run_id: str


class Engine:
    """A scheduler with LocalExecutor, a Dag processor and an API server, talked to over REST like the UI does."""

    def __init__(self, url: str, folder: Path, server: int = 0) -> None:
        self.url, self.folder, self.server = url, folder, server
        token = httpx.get(f"{url}/auth/token", timeout=60, trust_env=False).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=f"{url}/api/v2/", headers=headers, timeout=240, trust_env=False)

    def ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Ask the API, again if it answers 500, as it does when another process has locked the SQLite database."""
        return until(lambda: (answer := self.http.request(method, path, **content)).status_code != 500 and answer)

    def get(self, path: str, **params: Any) -> Any:
        return self.ask("GET", path, params=params).raise_for_status().json()

    def work_in(self, home: Path, kill: Kill | None = None) -> None:
        """Let tasks that start from now on keep their data in this home, and obey this order to be killed."""
        for name, target in {"home": home, "orders": kill.order.parent if kill else None}.items():
            (self.folder / name).unlink(missing_ok=True)
            if target:
                (self.folder / name).symlink_to(target)

    def start(self, dag_id: str, conf: dict[str, Any] | None = None, run_id: str | None = None) -> Run:
        """Trigger a run, as soon as Airflow has the Dag."""
        response = until(lambda: (found := self.trigger(dag_id, conf, run_id)).status_code not in (404, 500) and found)
        assert response.status_code == 200, response.text
        return Run(dag_id, response.json()["dag_run_id"])

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None, run_id: str | None = None) -> httpx.Response:
        """Ask for a run, once; a refusal is an answer, too."""
        body = {"logical_date": None, "conf": conf or {}} | ({"dag_run_id": run_id} if run_id else {})
        return self.http.post(f"dags/{dag_id}/dagRuns", json=body)

    def state(self, run: Run) -> str:
        return self.get(path_of(run))["state"]

    def wait(self, run: Run, seconds: float = 240) -> str:
        """Wait for the run's end; returns its state."""
        until(lambda: self.state(run) in ENDED, seconds)
        return self.state(run)

    def tasks(self, run: Run) -> dict[str, dict[str, Any]]:
        """Task instances as the API tells them, by name: `train EWR/logistic` for a mapped one."""
        path, found = f"{path_of(run)}/taskInstances", []
        while page := self.get(path, limit=100, offset=len(found), order_by="id")["task_instances"]:
            found += page
        return {name(task["task_id"], task["map_index"], task["rendered_map_index"]): task for task in found}

    def states(self, run: Run) -> dict[str, str]:
        return {name: task["state"] for name, task in sorted(self.tasks(run).items())}

    def attempts(self, run: Run) -> dict[str, int]:
        """How often each task was tried."""
        return {name: task["try_number"] for name, task in sorted(self.tasks(run).items())}

    def tries(self, run: Run, task: str) -> list[dict[str, Any]]:
        """All tries of a task instance, the first one first."""
        found = self.tasks(run)[task]
        index = f"/{found['map_index']}" if found["map_index"] >= 0 else ""
        tries = self.get(f"{path_of(run)}/taskInstances/{found['task_id']}{index}/tries")["task_instances"]
        return sorted(tries, key=lambda one: one["try_number"])

    def log(self, run: Run, task: str, try_number: int = 1) -> str:
        """What was logged in one try of a task instance."""
        found = self.tasks(run)[task]
        path = f"{path_of(run)}/taskInstances/{found['task_id']}/logs/{try_number}"
        lines = self.get(path, map_index=found["map_index"], full_content=True)["content"]
        return "\n".join(line if isinstance(line, str) else logged(line) for line in lines)

    def result(self, run: Run, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """What a task has returned, or pushed under a key; None if it has not yet."""
        path = f"{path_of(run)}/taskInstances/{task_id}/xcomEntries/{key}"
        response = self.ask("GET", path, params={"map_index": map_index})
        return None if response.status_code == 404 else response.raise_for_status().json()["value"]

    def process(self, run: Run, task: str) -> int:
        """The id of the task's process, as soon as the task is running."""

        def running() -> int | None:
            found = self.tasks(run).get(task)
            return found["pid"] if found and found["state"] == "running" else None

        return until(running) or 0

    def kill(self, run: Run, task: str) -> datetime:
        """Send SIGKILL to the task's own process, as soon as the task is running; returns when."""
        return sigkill(self.process(run, task))

    def kill_parent(self, run: Run, task: str) -> datetime:
        """Send SIGKILL to the supervisor of the task's process, as soon as the task is running; returns when."""
        return sigkill(parent(self.process(run, task)))

    def runs(self, dag_id: str) -> list[Run]:
        """A Dag's runs, in the order in which they began."""
        found = self.get(f"dags/{dag_id}/dagRuns", order_by="start_date")["dag_runs"]
        return [Run(dag_id, run["dag_run_id"]) for run in found]

    def events(self, run: Run, event: str) -> int:
        """How often the event log holds the event for a run."""
        return self.get("eventLogs", dag_id=run.dag_id, run_id=run.run_id, event=event)["total_entries"]

    def mark(self, run: Run, task_id: str, state: str) -> None:
        """Mark a task as a person does in the UI."""
        self.ask("PATCH", f"{path_of(run)}/taskInstances/{task_id}", json={"new_state": state}).raise_for_status()

    def clear_failed(self, run: Run) -> list[str]:
        """Let the failed tasks of a run, and what follows them, run again; returns their names."""
        body = {"dag_run_id": run.run_id, "dry_run": False, "only_failed": True, "reset_dag_runs": True}
        response = self.ask("POST", f"dags/{run.dag_id}/clearTaskInstances", json=body)
        assert response.status_code == 200, response.text
        return sorted({task["task_id"] for task in response.json()["task_instances"]})

    def kill_control_plane(self) -> None:
        """Send SIGKILL to scheduler, Dag processor, triggerer and API server, and to none of their children."""
        for file in ("down", "cold"):
            (self.folder / file).touch()
        (shell,) = children(self.server)
        for loop in children(shell):
            for component in children(loop):
                sigkill(component)

    def restart_control_plane(self) -> None:
        """Let the API server start again, and when it can answer tasks, too, the others."""
        (self.folder / "down").unlink()
        until(lambda: answers(f"{self.url}/execution/health/ping"))
        (self.folder / "cold").unlink()

    def record(self, run: Run) -> RunRecord:
        """The run record of a run of this engine: read from its database instead of this process's."""
        from airflow import settings
        from sqlalchemy import create_engine
        from sqlalchemy.orm import scoped_session, sessionmaker

        from airflow_impl.record import record

        database = create_engine(f"sqlite:///{self.folder / 'airflow' / 'airflow.db'}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(settings, "Session", scoped_session(sessionmaker(database, expire_on_commit=False)))
            return record(run.run_id)


def logged(line: dict[str, Any]) -> str:
    """A line of a log as the UI shows it: what was said, and the exception."""
    errors = [f"{error['exc_type']}: {error['exc_value']}" for error in line.get("error_detail") or []]
    return "\n".join([line["event"], *errors])


def path_of(run: Run) -> str:
    return f"dags/{run.dag_id}/dagRuns/{quote(run.run_id)}"


def sigkill(pid: int) -> datetime:
    os.kill(pid, signal.SIGKILL)
    return datetime.now(UTC)


def name(task_id: str, map_index: int, label: str | None) -> str:
    return task_id if map_index < 0 else f"{task_id} {label or map_index}"


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kept_up(component: str, folder: Path) -> str:
    """A shell's loop that starts a component again, like a service manager, unless a file holds it."""
    file = shlex.quote(str(folder / ("down" if "api-server" in component else "cold")))
    return f"(while :; do {component.removeprefix('exec ')}; while [ -e {file} ]; do sleep 0.2; done; done)"


def bundle_of(test: Path, folder: Path) -> dict[str, Any]:
    """A bundle with the Dags of this test, as Airflow's setting has it."""
    folder.mkdir(parents=True)
    (folder / f"{test.parent.name}.py").symlink_to(test)
    return {**product_bundle(), "name": test.parent.name, "kwargs": {"path": str(folder)}}


def product_bundle() -> dict[str, Any]:
    product, *_ = json.loads(os.environ[BUNDLES])
    return dict(product)


def product_alone() -> dict[str, str]:
    """The setting for the product's bundle alone."""
    return {BUNDLES: json.dumps([product_bundle()])}


def live_alone() -> dict[str, str]:
    """The setting for the product's bundle, and those of the tests that run in the session's live engine."""
    product, *tests = json.loads(os.environ[BUNDLES])
    texts = [next(Path(test["kwargs"]["path"]).iterdir()).read_text("utf-8") for test in tests]
    live = [test for test, text in zip(tests, texts, strict=True) if "mark.live" in text and "own_engine" not in text]
    return {BUNDLES: json.dumps([product, *live])}


@contextlib.contextmanager
def started(
    folder: Path, changed: dict[str, str] = CHANGED, restarts: bool = False, dags: Path | None = None
) -> Iterator[Engine]:
    """Airflow at work, with a metadata database of its own; all that it keeps, its log too, is in the folder.

    It knows the Dags of the file `dags`, or else those that `changed` or this process's environment names.
    """
    from airflow_impl import home, ui

    home.prepare()  # quicker than to start with an empty one
    for name in ("airflow", "first home"):
        (folder / name).mkdir()
    (folder / "home").symlink_to(folder / "first home")  # until a test names its own
    shutil.copy(home.folder() / "airflow.cfg", folder / "airflow")
    own, copy = (sqlite3.connect(state / "airflow.db") for state in (home.folder(), folder / "airflow"))
    with contextlib.closing(own), contextlib.closing(copy):
        own.backup(copy)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {"AIRFLOW_HOME": str(folder / "airflow"), "TRIPTYCH_HOME": str(folder / "home")}
    environment |= ui.variables(url, port) | Kill(folder / "orders").env | IDLE | changed
    if dags:
        environment |= {BUNDLES: json.dumps([bundle_of(dags, folder / "dags")])}
        # Its tasks need nothing of the pipeline, which the scheduler would load from there before it starts.
        paths = environment["PYTHONPATH"].split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path != str(home.HERE / "config"))
    components = [*(kept_up(component, folder) for component in ui.COMPONENTS), "wait"]
    command = ["sh", "-c", " & ".join(components if restarts else ui.COMPONENTS)]
    health = f"{url}/api/v2/monitor/health"
    with server(command, health, folder / "airflow.log", environment) as process:
        engine = Engine(url, folder, process.pid)
        until(lambda: engine.get("monitor/health")["scheduler"]["status"] == "healthy")
        yield engine


@cache
def engine() -> Engine:
    """The session's live engine; started on first use."""
    folder = tempfile.mkdtemp(dir=SESSION["home"], prefix="live ")  # a new one, if the first start has failed
    return RUNNING.enter_context(started(Path(folder), CHANGED | live_alone()))


@pytest.fixture
def live(home: Path) -> Engine:
    """The live engine, at work in this test's home."""
    engine().work_in(home)
    return engine()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not item.get_closest_marker("live") or item.get_closest_marker("own_engine"):  # they come last
        RUNNING.close()


def pytest_sessionfinish() -> None:
    RUNNING.close()


class InProcess:
    """`dag.test()` in this process, and what it leaves in the metadata database."""

    def __init__(self, source: Path) -> None:
        from airflow_impl import home

        home.prepare()
        self.source = source

    def pipeline(self, month: str = "2013-06", **changes: Any) -> RunRecord:
        """Run the real pipeline on the small slice; keywords change the settings."""
        from airflow_impl.run import run

        return run(month, Settings(tool="airflow", **({"source": str(self.source), "min_rows": 100} | changes)))

    def tasks(self, run: DagRun | RunRecord) -> dict[str, Any]:
        """Task instances by name: `train EWR/logistic` for a mapped one."""
        from airflow.models.taskinstance import TaskInstance

        found = rows(TaskInstance, run.run_id)
        return {name(task.task_id, task.map_index, task._rendered_map_index): task for task in found}

    def states(self, run: DagRun | RunRecord) -> dict[str, str]:
        return {name: str(task.state) for name, task in sorted(self.tasks(run).items())}

    def attempts(self, run: DagRun | RunRecord) -> dict[str, int]:
        """How often each task was tried."""
        return {name: task.try_number for name, task in sorted(self.tasks(run).items())}

    def tries(self, run: DagRun | RunRecord, task: str) -> list[Any]:
        """All tries of a task instance, the first one first."""
        from airflow.models.taskinstancehistory import TaskInstanceHistory

        last = self.tasks(run)[task]
        same = [one for one in rows(TaskInstanceHistory, run.run_id) if one.task_id == last.task_id]
        return sorted([*(one for one in same if one.map_index == last.map_index), last], key=lambda one: one.try_number)

    def planned_delay(self, run: DagRun, dag: DAG, failed: Any) -> float:
        """Seconds that Airflow decided to wait after a failed try."""
        if failed.retry_delay_override is not None:  # by a retry policy
            return float(failed.retry_delay_override)
        same = (failed.task_id, failed.map_index)
        (last,) = (one for one in self.tasks(run).values() if (one.task_id, one.map_index) == same)
        last.task, last.try_number = dag.get_task(failed.task_id), failed.try_number
        return float((last.next_retry_datetime() - last.end_date).total_seconds())

    def result(self, run: DagRun | RunRecord, task_id: str) -> Any:
        """What a task has returned."""
        from airflow.models.xcom import XComModel
        from airflow.sdk.serde import deserialize

        found = rows(XComModel, run.run_id)
        (value,) = (one.value for one in found if one.task_id == task_id and one.key == "return_value")
        return deserialize(json.loads(value) if isinstance(value, str) else value)


def rows(model: Any, run_id: str) -> list[Any]:
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = list(session.scalars(select(model).where(model.run_id == run_id)))
        session.expunge_all()
        return found


@pytest.fixture
def in_process(home: Path, source: Path) -> InProcess:
    return InProcess(source)


def conf(month: str, settings: Settings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude={"tool", "home"}) | {"month": month}
