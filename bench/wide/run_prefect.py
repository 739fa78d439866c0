"""Runs the wide flow in Prefect: in this process, in what `make prefect-ui` starts, and in what `make cluster` does.

What only servers need is imported where they start, as this process's memory is measured when it has none.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from prefect_impl import HOME, home

# isort: split
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import TaskRun
from prefect.client.schemas.sorting import TaskRunSort
from prefect.deployments import run_deployment
from prefect.settings import PREFECT_API_URL, temporary_settings

from bench.wide import driver
from bench.wide.driver import Ask, Run, until
from bench.wide.prefect_flow import wide
from shared.runtime import servers
from shared.settings import ROOT, default_home


@contextmanager
def in_process() -> Iterator[Ask]:
    home.ensure_server()
    yield lambda width, deadline: record(wide(width, return_state=True).state_details.flow_run_id)


@contextmanager
def live() -> Iterator[Ask]:
    from prefect_impl import ui

    port = servers.free_port()
    with home.with_pages() as url, temporary_settings({PREFECT_API_URL: f"{url}/api"}):
        env = ui.variables(url, port)
        serve = [sys.executable, "-m", "prefect_impl.serve"]
        with servers.server(serve, f"http://127.0.0.1:{port}/health", HOME / "worker.log", env):
            deploy("prefect_flow.py", env)
            yield by_deployment


@contextmanager
def distributed() -> Iterator[Ask]:
    from prefect_impl import cluster
    from shared.runtime.cluster import cluster as machines

    with machines(default_home() / "cluster", 2, cluster.running) as (_, (control, *_)):
        deploy("on_dask.py", control.env)
        yield by_deployment


def deploy(file: str, env: Mapping[str, str]) -> None:
    from prefect_impl.serve import POOL, PREFECT

    command = [*PREFECT, "deploy", f"bench/wide/{file}:wide", "--name", "wide", "--pool", POOL]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, check=True)


def by_deployment(width: int, deadline: float) -> Run:
    run_id = run_deployment("wide/wide", parameters={"width": width}, timeout=0).id
    with get_client(sync_client=True) as api:
        until(lambda: (state := api.read_flow_run(run_id).state) and state.is_final(), deadline)
    return record(run_id)


def record(run_id: UUID) -> Run:
    """What the server knows of the run; of its first task it may learn later than of its end."""
    only = FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
    with get_client(sync_client=True) as api:
        run = api.read_flow_run(run_id)
        assert run.state.is_completed(), run.state
        order = TaskRunSort.EXPECTED_START_TIME_ASC
        first = until(lambda: started(api.read_task_runs(flow_run_filter=only, sort=order, limit=1)))
    return Run(run.start_time.timestamp(), run.end_time.timestamp(), first.timestamp())


def started(task_runs: list[TaskRun]) -> datetime | None:
    return task_runs[0].start_time if task_runs else None


if __name__ == "__main__":
    driver.main("prefect", {"in_process": in_process, "live": live, "distributed": distributed})
