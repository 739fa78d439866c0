"""The live engine of the tests: what `airflow standalone` runs, started once for all of a session's tests.

Airflow's processes import the test files too, for the Dags in them, so nothing heavy is imported at their top.
"""

import contextlib
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.runtime.records import RunRecord
from shared.runtime.servers import free_port, server
from shared.settings import ROOT, Settings
from tests.faults import Kill

# A killed worker is found within seconds instead of five minutes.
HEARTBEAT_SECONDS = 12
IMPATIENT = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_SECONDS),
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
}
ENDED = ("success", "failed")
RUNNING = contextlib.ExitStack()
SESSION: dict[str, Path] = {}


def pytest_configure() -> None:
    """Airflow's settings, before its first import: the product's, and a second bundle with the Dags of the tests."""
    import airflow_impl  # noqa: F401

    SESSION["home"] = Path(os.environ["TRIPTYCH_HOME"])
    folder = SESSION["home"] / "dags of the tests"
    folder.mkdir()
    for topic in ("dynamic_tasks", "retries"):
        (folder / f"{topic}.py").symlink_to(ROOT / "tests" / topic / "test_airflow.py")
    bundles = json.loads(os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    bundles.append({**bundles[0], "name": "tests", "kwargs": {"path": str(folder)}})
    os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps(bundles)


def poll(look: Callable[[], Any], seconds: float = 120) -> Any:
    """What `look` returns as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing within {seconds:.0f} s"
        time.sleep(0.1)
    return found


class Engine:
    """A scheduler with LocalExecutor, a Dag processor and an API server, talked to over REST like the UI does."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        token = httpx.get(f"{url}/auth/token", timeout=60, trust_env=False).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=f"{url}/api/v2/", headers=headers, timeout=60, trust_env=False)

    def get(self, path: str, **params: Any) -> Any:
        return self.http.get(path, params=params).raise_for_status().json()

    def work_in(self, home: Path, kill: Kill | None = None) -> None:
        """Let tasks that start from now on keep their data in this home, and obey this order to be killed."""
        for name, target in {"home": home, "orders": kill.order.parent if kill else None}.items():
            (self.folder / name).unlink(missing_ok=True)
            if target:
                (self.folder / name).symlink_to(target)

    def start(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Trigger a run, as soon as Airflow has the Dag; returns its id."""
        body = {"logical_date": None, "conf": conf or {}}
        response = poll(lambda: (its := self.http.post(f"dags/{dag_id}/dagRuns", json=body)).status_code != 404 and its)
        assert response.status_code == 200, response.text
        return response.json()["dag_run_id"]

    def state(self, dag_id: str, run_id: str) -> str:
        return self.get(f"dags/{dag_id}/dagRuns/{run_id}")["state"]

    def end(self, dag_id: str, run_id: str) -> str:
        """Wait for the run's end; returns its state."""
        poll(lambda: self.state(dag_id, run_id) in ENDED, 180)
        return self.state(dag_id, run_id)

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """Task instances as the API tells them, by name: `train EWR/logistic` for a mapped one."""
        found = self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=500)["task_instances"]
        return {name(its["task_id"], its["map_index"], its["rendered_map_index"]): its for its in found}

    def ended(self, dag_id: str, run_id: str, task: str) -> dict[str, Any] | None:
        """The task instance, once it has ended."""
        its = self.tasks(dag_id, run_id).get(task)
        return its if its and its["state"] in ENDED else None

    def running(self, dag_id: str, run_id: str, task: str, seconds: float = 0) -> dict[str, Any] | None:
        """The task instance, once it has been running for so long and is running still."""
        its = self.tasks(dag_id, run_id).get(task)
        if not its or its["state"] != "running" or not its["pid"]:
            return None
        so_far = datetime.now(UTC) - datetime.fromisoformat(its["start_date"])
        return its if so_far > timedelta(seconds=seconds) else None

    def mark(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task as a person does in the UI."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        self.http.patch(path, json={"new_state": state}).raise_for_status()

    def tries(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> list[dict[str, Any]]:
        """All tries of a task instance, the first one first."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        path += f"/{map_index}/tries" if map_index >= 0 else "/tries"
        return sorted(self.get(path)["task_instances"], key=lambda its: its["try_number"])

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        return {task: its["state"] for task, its in sorted(self.tasks(dag_id, run_id).items())}

    def result(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """What a task has returned, or pushed under a key; None if it has not yet."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        response = self.http.get(path, params={"map_index": map_index})
        return None if response.status_code == 404 else response.raise_for_status().json()["value"]

    def runs(self, dag_id: str) -> list[str]:
        """The ids of a Dag's runs, in the order in which they began."""
        found = self.get(f"dags/{dag_id}/dagRuns", order_by="start_date")["dag_runs"]
        return [its["dag_run_id"] for its in found]

    def events(self, dag_id: str, run_id: str, event: str) -> int:
        """How often the event log holds the event for a run."""
        return self.get("eventLogs", dag_id=dag_id, run_id=run_id, event=event)["total_entries"]

    def clear_failed(self, dag_id: str, run_id: str) -> list[str]:
        """Let the failed tasks of a run, and what follows them, run again; returns their names."""
        body = {"dag_run_id": run_id, "dry_run": False, "only_failed": True, "reset_dag_runs": True}
        response = self.http.post(f"dags/{dag_id}/clearTaskInstances", json=body)
        assert response.status_code == 200, response.text
        return sorted({its["task_id"] for its in response.json()["task_instances"]})

    def record(self, run_id: str) -> RunRecord:
        """The run record of a run of this engine: read from its database instead of this process's."""
        from airflow import settings
        from sqlalchemy import create_engine
        from sqlalchemy.orm import scoped_session, sessionmaker

        from airflow_impl.record import record

        database = create_engine(f"sqlite:///{self.folder / 'airflow' / 'airflow.db'}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(settings, "Session", scoped_session(sessionmaker(database, expire_on_commit=False)))
            return record(run_id)


def name(task_id: str, map_index: int, label: str | None) -> str:
    return task_id if map_index < 0 else f"{task_id} {label or map_index}"


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Engine]:
    """Airflow at work, with a metadata database of its own; all that it keeps, its log too, is in the folder."""
    from airflow_impl import home, ui

    home.prepare()  # quicker than to start with an empty one
    for name in ("airflow", "first home"):
        (folder / name).mkdir()
    (folder / "home").symlink_to(folder / "first home")  # until a test names its own
    (folder / "airflow" / "airflow.cfg").touch()
    own, copy = (sqlite3.connect(state / "airflow.db") for state in (home.folder(), folder / "airflow"))
    with contextlib.closing(own), contextlib.closing(copy):
        own.backup(copy)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {"AIRFLOW_HOME": str(folder / "airflow"), "TRIPTYCH_HOME": str(folder / "home")}
    environment |= ui.variables(url, port) | Kill(folder / "orders").env | IMPATIENT
    command = ["sh", "-c", " & ".join(ui.COMPONENTS)]
    with server(command, f"{url}/api/v2/monitor/health", folder / "airflow.log", environment, seconds=240):
        engine = Engine(url, folder)
        poll(lambda: engine.get("monitor/health")["scheduler"]["status"] == "healthy")
        yield engine


@cache
def engine() -> Engine:
    """The session's live engine; started on first use."""
    folder = tempfile.mkdtemp(dir=SESSION["home"], prefix="live ")  # a new one, if the first start has failed
    return RUNNING.enter_context(started(Path(folder)))


@pytest.fixture
def live(home: Path) -> Engine:
    """The live engine, at work in this test's home."""
    engine().work_in(home)
    return engine()


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

    def tasks(self, run_id: str) -> dict[str, Any]:
        """Task instances by name: `train EWR/logistic` for a mapped one."""
        from airflow.models.taskinstance import TaskInstance

        found = rows(TaskInstance, run_id)
        return {name(its.task_id, its.map_index, its._rendered_map_index): its for its in found}

    def states(self, run_id: str) -> dict[str, str]:
        return {task: str(its.state) for task, its in sorted(self.tasks(run_id).items())}

    def tries(self, run_id: str, task: str) -> list[Any]:
        """All tries of a task instance, the first one first."""
        from airflow.models.taskinstancehistory import TaskInstanceHistory

        last = self.tasks(run_id)[task]
        same = [its for its in rows(TaskInstanceHistory, run_id) if its.task_id == last.task_id]
        return sorted([*(its for its in same if its.map_index == last.map_index), last], key=lambda its: its.try_number)

    def result(self, run_id: str, task_id: str) -> Any:
        """What a task has returned."""
        from airflow.models.xcom import XComModel
        from airflow.sdk.serde import deserialize

        (found,) = (its for its in rows(XComModel, run_id) if its.task_id == task_id and its.key == "return_value")
        return deserialize(json.loads(found.value) if isinstance(found.value, str) else found.value)


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
