"""The monthly schedule is off until someone switches it on, and picks the month that has just ended."""

from datetime import UTC, date, datetime

import dagster as dg
import pytest

from dagster_impl.definitions import defs
from dagster_impl.defs.schedules import last_month


@pytest.mark.parametrize(
    ("day", "month"),
    [(date(2013, 7, 1), "2013-06"), (date(2013, 7, 31), "2013-06"), (date(2014, 1, 1), "2013-12")],
)
def test_last_month(day: date, month: str) -> None:
    assert last_month(day) == month


def test_tick_asks_for_the_month_that_has_just_ended(instance: dg.DagsterInstance) -> None:
    loaded = defs()
    schedule = loaded.resolve_schedule_def("monthly")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    tick = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime(2013, 7, 1, 6, tzinfo=UTC),
        repository_def=loaded.get_repository_def(),
    )
    (request,) = schedule.evaluate_tick(tick).run_requests
    assert (schedule.job_name, request.partition_key, request.run_key) == ("retrain", "2013-06", "2013-06")
    assert request.tags["dagster/partition"] == "2013-06"
    assert instance.get_dynamic_partitions("month") == ["2013-06"]


def test_everything_in_defs_is_loaded() -> None:
    """A module under defs/ with a `@definitions` function would silently lose everything else in it."""
    repository = defs().get_repository_def()
    assert {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()} == {
        "batch", "validated_batch", "feature_table", "training_plan", "trained_candidates", "evaluation", "challenger",
        "champion",
    }  # fmt: skip
    assert {check.name for check in repository.asset_graph.asset_check_keys} == {
        "has_not_drifted", "every_candidate_trained", "beats_the_base_rate",
    }  # fmt: skip
    assert {"retrain", "retrain_isolated"} <= set(repository.job_names)
    assert [schedule.name for schedule in repository.schedule_defs] == ["monthly"]
    assert {sensor.name for sensor in repository.sensor_defs} >= {
        "months_of_the_source", "record_of_success", "record_of_failure", "record_of_canceled",
    }  # fmt: skip
