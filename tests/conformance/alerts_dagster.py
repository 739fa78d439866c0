"""A failed run in Dagster: the daemon asks the sensor what to do about it; here, the test does."""

import importlib

import dagster as dg

from dagster_impl.defs import alerts
from dagster_impl.pages import run_url
from dagster_impl.run import engine, run
from shared.runtime.records import RunRecord
from shared.settings import Settings


def fail(month: str, settings: Settings) -> tuple[RunRecord, str]:
    """The record of a run that fails, and the page of its stage."""
    sensor = importlib.reload(alerts).alert_of_failure  # it is there only if there is a webhook
    _, instance = engine()
    cursor = sensor.evaluate_tick(dg.build_sensor_context(instance)).cursor  # what has failed before, it leaves alone
    record = run(month, settings)
    sensor.evaluate_tick(dg.build_sensor_context(instance, cursor=cursor))
    return record, f"{run_url(record.run_id, settings)}?logs=step%3Abatch"
