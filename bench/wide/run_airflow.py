"""Runs the wide Dag in Airflow: by `dag.test()`, in what `make airflow-ui` starts, and in what `make cluster` does.

What only servers need is imported where they start, as this process's memory is measured when it has none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow_impl import home

if __name__ == "__main__":  # before Airflow is imported: with this Dag only
    home.apply(dags=Path(__file__).with_name("airflow_dag.py"))

import httpx

from airflow_impl import ui
from bench.wide import driver
from bench.wide.airflow_dag import wide_dag
from bench.wide.driver import Ask, Run, until
from shared.runtime import servers
from shared.settings import default_home


@contextmanager
def in_process() -> Iterator[Ask]:
    home.prepare()
    yield dag_test


def dag_test(width: int, deadline: float) -> Run:
    run = wide_dag.test(run_conf={"width": width})
    assert run.state == "success", run
    first = min(task.start_date for task in run.get_task_instances())
    return Run(run.start_date.timestamp(), run.end_date.timestamp(), first.timestamp())


@contextmanager
def live() -> Iterator[Ask]:
    home.prepare()
    port = servers.free_port()
    url, log = f"http://127.0.0.1:{port}", default_home() / "airflow.log"
    command = ["sh", "-c", " & ".join(ui.COMPONENTS)]
    with servers.server(command, f"{url}/api/v2/monitor/health", log, ui.variables(url, port)):
        yield over_rest(url)


@contextmanager
def distributed() -> Iterator[Ask]:
    from airflow_impl import cluster
    from shared.runtime.cluster import cluster as machines

    with machines(default_home() / "cluster", 2, cluster.running) as (engine, _):
        yield over_rest(engine.url.removesuffix("/dags/late_flights"))


def over_rest(url: str) -> Ask:
    """What asks the API server, as soon as that has the Dag and the scheduler is at work."""
    token = httpx.get(f"{url}/auth/token", timeout=60, trust_env=False).raise_for_status().json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    api = httpx.Client(base_url=f"{url}/api/v2/", headers=headers, timeout=60, trust_env=False)
    until(lambda: api.get("dags/wide").is_success)
    until(lambda: api.get("monitor/health").json()["scheduler"]["status"] == "healthy")

    def ask(width: int, deadline: float) -> Run:
        body = {"logical_date": None, "conf": {"width": width}}
        run_id = api.post("dags/wide/dagRuns", json=body).raise_for_status().json()["dag_run_id"]
        path = f"dags/wide/dagRuns/{run_id}"
        run = until(lambda: found if (found := get(api, path)).get("end_date") else None, deadline)
        assert run["state"] == "success", run
        tasks = until(lambda: get(api, f"{path}/taskInstances?order_by=start_date&limit=1").get("task_instances"))
        return Run(*map(timestamp, (run["start_date"], run["end_date"], tasks[0]["start_date"])))

    return ask


def get(api: httpx.Client, path: str) -> dict[str, Any]:
    """The answer, or nothing: while another process has locked the SQLite database, the API answers 500."""
    answer = api.get(path)
    return answer.json() if answer.is_success else {}


def timestamp(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


if __name__ == "__main__":
    driver.main("apache-airflow", {"in_process": in_process, "live": live, "distributed": distributed})
