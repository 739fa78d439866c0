"""Airflow's API and form refuse a source with a login in it, and keep none of it."""

import pytest

from tests.live.airflow import Engine
from tests.live.watch import until
from tests.secrets import find

PASSWORD = "a-secret-of-the-form"


@pytest.mark.live
def test_source_with_a_login_in_it_is_refused_and_not_recorded(live: Engine) -> None:
    conf = {"month": "2013-06", "source": f"http://vendor:{PASSWORD}@127.0.0.1:9/drop"}
    refused = until(lambda: (answer := live.trigger("late_flights", conf)).status_code not in (404, 500) and answer)
    assert refused.status_code == 400, refused.text
    assert "Invalid input for param source" in refused.text
    requests = live.get("eventLogs", dag_id="late_flights", event="trigger_dag_run")["event_logs"]
    assert any('"source": "***"' in (request["extra"] or "") for request in requests), requests
    assert find(PASSWORD, live.folder) == {}
