"""Airflow's Celery executor: a task instance's record has the host name of its worker."""

from pathlib import Path

import pytest

from tests.scale.s2_two_machines import observe
from tests.scenario import Scenario


@pytest.mark.live
@pytest.mark.own_engine
@pytest.mark.usefixtures("home")
def test_s2_two_machines(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: Scenario) -> None:
    from airflow_impl import cluster
    from shared.runtime.cluster import Engine
    from tests.live import airflow

    def workers_of(engine: Engine) -> list[str]:
        live = airflow.Engine(engine.url.removesuffix("/dags/late_flights"), tmp_path)
        (run,) = live.runs("late_flights")
        return [task["hostname"] for name, task in live.tasks(run).items() if name.startswith("train ")]

    for name, value in airflow.product_alone().items():
        monkeypatch.setenv(name, value)
    seen = observe("airflow", cluster.running, source, tmp_path / "cluster", workers_of)
    assert seen["both_train"]
    assert seen["same_champion"]
    scenario.obvious(cluster.running, cluster.variables, cluster.celery_worker, **seen, engine="Celery executor")
    scenario.finding(
        "The Celery executor took settings only: database, broker and executor. Each task instance's record has the "
        f"host name of its worker, here an address ({', '.join(seen['candidates'])}), at which Airflow's UI gets its "
        "log."
    )
