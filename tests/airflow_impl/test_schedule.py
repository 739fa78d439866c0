"""The monthly schedule: off until someone switches it on, and then for the month that has just ended."""

from datetime import timedelta
from pathlib import Path

import pendulum
import pytest
from airflow.models.dag import DagModel
from airflow.models.serialized_dag import SerializedDagModel
from airflow.timetables.base import TimeRestriction
from airflow.utils.session import create_session

from airflow_impl import home as airflow_home
from tests.live.airflow import Engine, Run
from tests.live.watch import until


def test_next_run_is_for_the_month_that_has_then_just_ended() -> None:
    airflow_home.prepare()
    schedule = DagModel.get_current("monthly_schedule")
    assert schedule.next_dagrun_create_after.day == 1
    assert schedule.next_dagrun_partition_key == f"{schedule.next_dagrun_create_after - timedelta(days=1):%Y-%m}"


@pytest.mark.parametrize("day", [1, 2, 15, 31])
def test_switched_on_at_whatever_day_it_waits_for_the_next_first(day: int, monkeypatch: pytest.MonkeyPatch) -> None:
    airflow_home.prepare()
    with create_session() as session:
        timetable = SerializedDagModel.get_dag("monthly_schedule", session=session).timetable
    monkeypatch.setattr("airflow.timetables.trigger.utcnow", lambda: pendulum.datetime(2013, 5, day, 2))
    following = timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=TimeRestriction(None, None, False))
    assert (following.run_after, following.partition_key) == (pendulum.datetime(2013, 6, 1), "2013-05")


def test_schedule_is_off_and_the_pipeline_is_not() -> None:
    airflow_home.prepare()
    assert DagModel.get_current("monthly_schedule").is_paused
    assert not DagModel.get_current("late_flights").is_paused


@pytest.mark.live
def test_switched_on_it_starts_the_pipeline_for_its_partition(live: Engine, home: Path) -> None:
    before = live.runs("late_flights")
    body = {"logical_date": None, "partition_key": "2013-02"}
    started = live.ask("POST", "dags/monthly_schedule/dagRuns", json=body).raise_for_status().json()
    run = Run("monthly_schedule", started["dag_run_id"])
    assert live.state(run) == "queued"
    live.ask("PATCH", "dags/monthly_schedule", json={"is_paused": False}).raise_for_status()
    try:
        assert live.wait(run) == "success"
    finally:
        live.ask("PATCH", "dags/monthly_schedule", json={"is_paused": True}).raise_for_status()
    (follower,) = until(lambda: [run for run in live.runs("late_flights") if run not in before])
    assert live.get(f"dags/late_flights/dagRuns/{follower.run_id}")["partition_key"] == "2013-02"
    assert live.wait(follower) == "success"
    assert live.record(follower).month == "2013-02"


@pytest.mark.live
def test_month_given_as_partition_key_by_the_api_is_the_runs_month(live: Engine, home: Path) -> None:
    wrong = live.ask("POST", "dags/late_flights/dagRuns", json={"logical_date": None, "partition_key": "2013-13"})
    assert wrong.status_code == 400, wrong.text
    body = {"logical_date": None, "partition_key": "2013-09", "conf": {"source": str(home / "nowhere")}}
    started = live.ask("POST", "dags/late_flights/dagRuns", json=body).raise_for_status().json()
    run = Run("late_flights", started["dag_run_id"])
    assert live.wait(run) == "failed"
    assert live.record(run).month == "2013-09"
