"""The Dag tells a webhook of its runs only if there is one; a run that has failed is not told late, too."""

import os
import subprocess
import sys
from typing import Any

import pytest

from airflow_impl import alert
from shared.runtime.alert import Alert
from tests.webhook import webhook

SHOW = """
from airflow_impl.pipeline import late_flights_dag as dag
print(bool(dag.on_failure_callback), bool(dag.deadline))
"""


@pytest.mark.parametrize(("url", "tells"), [("", "False False"), ("http://127.0.0.1:1", "True True")])
def test_dag_tells_of_its_runs_if_there_is_a_webhook(url: str, tells: str) -> None:
    env = {**os.environ, "TRIPTYCH_ALERT_URL": url}
    shown = subprocess.run([sys.executable, "-c", SHOW], env=env, capture_output=True, text=True, timeout=120)
    assert shown.stdout.strip() == tells, shown.stderr


@pytest.mark.parametrize(("state", "count"), [("queued", 1), ("running", 1), ("failed", 0), ("success", 0)])
def test_run_is_told_late_as_long_as_it_has_not_ended(state: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    run: dict[str, Any] = {"dag_run_id": "a+b", "state": state, "partition_key": None, "conf": {"month": "2013-06"}}
    with webhook() as hook:
        monkeypatch.setenv("TRIPTYCH_ALERT_URL", hook.url)
        alert.tell_late({"dag_run": run})
    assert len(hook.deliveries) == count
    for delivery in hook.deliveries:
        told = Alert.model_validate(delivery.message)
        assert (told.event, told.run_id, told.month) == ("late", "a+b", "2013-06")
        assert told.url.endswith("/dags/late_flights/runs/a%2Bb")
