"""The monthly schedule runs the month that has just ended."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Scheduled

from prefect_impl.home import ensure_server
from prefect_impl.pipeline import late_flights
from prefect_impl.schedule import month_before, run_month_before


@pytest.mark.parametrize(
    ("when", "month"),
    [
        (datetime(2013, 7, 1, 6, tzinfo=UTC), "2013-06"),
        (datetime(2014, 1, 1, 6, tzinfo=UTC), "2013-12"),
        (datetime(2012, 3, 31, tzinfo=UTC), "2012-02"),
    ],
)
def test_month_before(when: datetime, month: str) -> None:
    assert month_before(when) == month


def test_scheduled_run_starts_the_pipeline_for_the_month_before_it() -> None:
    from prefect.flow_engine import run_flow

    ensure_server()
    deployment = UUID(str(late_flights.to_deployment("monthly-retraining").apply()))
    with get_client(sync_client=True) as api:
        tick = Scheduled(scheduled_time=datetime(2013, 7, 1, 6, tzinfo=UTC))
        run_flow(run_month_before, flow_run=api.create_flow_run(run_month_before, state=tick))
        (run,) = [run for run in api.read_flow_runs() if run.deployment_id == deployment]
    assert run.parameters["month"] == "2013-06"
    assert run.state.is_scheduled()
