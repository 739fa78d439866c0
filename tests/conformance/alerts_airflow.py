"""A failed run in Airflow: the Dag's callback is read with the Dag, so that it takes a process of its own."""

import os
import subprocess
import sys

from airflow_impl.pages import run_url
from shared.runtime import records
from shared.runtime.records import RunRecord
from shared.settings import Settings


def fail(month: str, settings: Settings) -> tuple[RunRecord, str]:
    """The record of a run that fails, and the page of its stage."""
    command = [sys.executable, "-m", "airflow_impl.run", month, "--source", settings.source]
    env = {**os.environ, "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0"}  # the home may be seconds old
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 1, done.stdout + done.stderr
    run = records.read("airflow", month, settings.home)
    return run, f"{run_url(run.run_id)}/tasks/ingest"
