"""The stages' log lines are found again in Dagster's event log."""

from tests.live.dagster import Pipeline, log
from tests.logs import check


def test_each_stage_has_a_line_in_the_event_log(pipeline: Pipeline) -> None:
    record = pipeline(families=("logistic",))
    assert record.state == "success", record.error
    check(log(pipeline.instance, record.run_id), "dagster", record.run_id)
