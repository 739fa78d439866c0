"""Prefect's Dask task runner: which worker of Dask had a task run, Dask knows, and Prefect's record does not."""

from pathlib import Path

import pytest

from tests.scale.s2_two_machines import observe
from tests.scenario import Scenario


@pytest.mark.live
@pytest.mark.own_engine
@pytest.mark.usefixtures("home")
def test_s2_two_machines(source: Path, tmp_path: Path, scenario: Scenario) -> None:
    from prefect_impl import cluster
    from shared.runtime.cluster import Engine
    from tests.live import prefect

    def workers_of(engine: Engine) -> list[str]:
        machines = {path.name for path in (tmp_path / "cluster").glob("worker-*")}
        with prefect.open_client(f"{engine.url}/api") as api:
            (run,) = api.read_flow_runs()
            texts = [task_run.model_dump_json() for task_run in api.read_task_runs() if "/" in task_run.name]
            assert run.state.is_completed()
            assert len(texts) == 9
        return [machine for text in texts for machine in machines if machine in text]

    seen = observe("prefect", cluster.running, source, tmp_path / "cluster", workers_of)
    assert seen["both_train"]
    assert seen["same_champion"]
    scenario.obvious(cluster.running, cluster.deploy, **seen, engine="a work pool, and Dask for the mapped tasks")
    scenario.finding(
        "The flow took another task runner and result storage, which its deployment gives it. A task run's record "
        f"names no worker of Dask (candidates by worker: {seen['candidates']}); Dask's dashboard does while it is up. "
        "The other tasks run in the flow run's process, on the machine whose worker took the run."
    )
