"""Airflow hands small values over by XCom, in its database; the pipeline's files lie in the store."""

import pytest

from tests.live.airflow import InProcess
from tests.scenario import Scenario


@pytest.mark.slow
def test_s4_object_store(in_process: InProcess, monkeypatch: pytest.MonkeyPatch, scenario: Scenario) -> None:
    from airflow_impl.pipeline import late_flights_dag
    from tests.scale.s4_object_store import observe

    seen = observe("airflow", str(in_process.source), in_process.pipeline, monkeypatch)
    assert seen["same_champion"]
    scenario.obvious(
        late_flights_dag.get_task("features").python_callable, **seen, hand_overs="XCom, in the metadata database"
    )
    scenario.finding(
        f"The run that met 503 was a success after {seen['attempts']} attempts at ingest (S3's client tries again, "
        "too), and the changed object was refused by its name. What a task returns is a reference to an object, "
        "which XCom keeps in the metadata database."
    )
