"""Runs the wide job in Dagster: in this process, in what `make dagster-ui` starts, and in what `make cluster` does.

What only servers need is imported where they start, as this process's memory is measured when it has none.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import dagster as dg

from bench.wide import AT_ONCE, driver
from bench.wide.dagster_job import wide_job
from bench.wide.driver import Ask, Run, until
from dagster_impl.home import instance
from shared.runtime import servers
from shared.settings import default_home

EXECUTORS = {
    "live": {},
    # What the pipeline's own jobs have: retrain_isolated, and retrain.
    "live-forkserver": {
        "multiprocess": {
            "max_concurrent": AT_ONCE or 2,
            "start_method": {"forkserver": {"preload_modules": ["bench.wide.dagster_job"]}},
        }
    },
    "live-one-process": {"in_process": {}},
}
"""Config of the job's executor; by default it starts a process for each step, as many at once as there are cores."""


@contextmanager
def in_process() -> Iterator[Ask]:
    dagster = instance()

    def ask(width: int, deadline: float) -> Run:
        return record(wide_job.execute_in_process(config(width), dagster).run_id, dagster)

    yield ask


@contextmanager
def live(executor: dict[str, Any]) -> Iterator[Ask]:
    dagster, port = instance(), servers.free_port()
    command = [sys.executable, "-m", "dagster", "dev", "-m", "bench.wide.dagster_job"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with servers.server(command, f"http://127.0.0.1:{port}/server_info", default_home() / "dagster.log"):
        yield over_graphql(port, dagster, {"execution": {"config": executor}} if executor else {})


@contextmanager
def distributed() -> Iterator[Ask]:
    from dagster_impl import cluster
    from shared.runtime.cluster import cluster as machines

    running = partial(cluster.running, module="bench.wide.on_celery")
    with machines(default_home() / "cluster", 2, running) as (engine, (control, *_)):
        os.environ.update({name: control.env[name] for name in ("DAGSTER_HOME", "DAGSTER_POSTGRES_URL")})
        with dg.DagsterInstance.get() as dagster:
            yield over_graphql(int(engine.url.rpartition(":")[2]), dagster, {})


def over_graphql(port: int, dagster: dg.DagsterInstance, executor: dict[str, Any]) -> Ask:
    """What asks the webserver for a run, and reads how it went from the instance."""
    from dagster_graphql import DagsterGraphQLClient

    client = DagsterGraphQLClient("127.0.0.1", port_number=port)

    def ask(width: int, deadline: float) -> Run:
        run_id = client.submit_job_execution("wide", run_config=config(width) | executor)
        until(lambda: (run := dagster.get_run_by_id(run_id)) and run.is_finished, deadline)
        return record(run_id, dagster)

    return ask


def config(width: int) -> dict[str, Any]:
    return {"ops": {"width": {"config": width}}}


def record(run_id: str, dagster: dg.DagsterInstance) -> Run:
    found = dagster.get_run_record_by_id(run_id)
    assert found.dagster_run.is_success, found.dagster_run.status
    starts = dagster.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_START, limit=1).records
    return Run(found.start_time, found.end_time, starts[0].timestamp)


if __name__ == "__main__":
    lives = {mode: partial(live, executor) for mode, executor in EXECUTORS.items()}
    driver.main("dagster", {"in_process": in_process, **lives, "distributed": distributed})
