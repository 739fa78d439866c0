"""The sensors that tell a webhook of failed and late runs: there with a webhook only, and each run is told once."""

import importlib

import dagster as dg
import pytest

from dagster_impl.definitions import defs
from dagster_impl.defs import alerts
from shared.runtime.alert import Alert
from tests.webhook import webhook


@dg.job
def job() -> None:
    pass


def test_late_run_is_told_once(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    late = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": "2013-06"})
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.SUCCESS)
    monkeypatch.setenv("TRIPTYCH_ALERT_AFTER", "0")
    with webhook() as hook:
        monkeypatch.setenv("TRIPTYCH_ALERT_URL", hook.url)
        sensor = importlib.reload(alerts).alert_of_lateness
        cursor = sensor.evaluate_tick(dg.build_sensor_context(instance)).cursor
        sensor.evaluate_tick(dg.build_sensor_context(instance, cursor=cursor))
    (delivery,) = hook.deliveries
    told = Alert.model_validate(delivery.message)
    assert (told.event, told.run_id, told.month) == ("late", late.run_id, "2013-06")
    assert told.url.endswith(f"/runs/{late.run_id}")


def test_run_that_is_launched_again_has_not_failed_for_good(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook() as hook:
        monkeypatch.setenv("TRIPTYCH_ALERT_URL", hook.url)
        sensor = importlib.reload(alerts).alert_of_failure
        cursor = sensor.evaluate_tick(dg.build_sensor_context(instance)).cursor
        again, for_good = (
            instance.create_run_for_job(job, tags={"dagster/will_retry": retry}) for retry in ("true", "false")
        )
        for run in (again, for_good):
            instance.report_run_failed(run, "its process died")
        for _ in range(2):  # it takes one run at a time
            cursor = sensor.evaluate_tick(dg.build_sensor_context(instance, cursor=cursor)).cursor
    (delivery,) = hook.deliveries
    assert (delivery.message["run_id"], delivery.message["stage"]) == (for_good.run_id, None)


def test_without_a_webhook_there_are_no_sensors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIPTYCH_ALERT_URL", raising=False)
    for name in ("alert_of_failure", "alert_of_lateness"):
        vars(alerts).pop(name, None)
    importlib.reload(alerts)
    sensors = {sensor.name for sensor in defs().get_repository_def().sensor_defs}
    assert not sensors & {"alert_of_failure", "alert_of_lateness"}
