"""Faults from outside, the same for all tools: a source that fails, a full disk, a locked database."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient

from shared.runtime import records
from shared.runtime.records import differences
from shared.settings import ROOT, Settings
from tests.conformance.test_conformance import FEW, versions, without_retries
from tests.conftest import TOOL
from tests.faults import scripted_source

pytestmark = pytest.mark.slow

# Takes the database as its own as soon as a candidate has a run in it, the second one after the parent, and for longer
# than MLflow waits by itself.
LOCK = """
import sqlite3, sys, time
from shared.lib import tracking
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
print("watching", flush=True)
while database.execute("select count(*) from runs").fetchone()[0] < 2:
    time.sleep(0.05)
database.execute("BEGIN EXCLUSIVE")
time.sleep(tracking.BUSY_SECONDS + 5)
"""
NO_FILE_ABOVE_8_MB = ["sh", "-c", 'ulimit -f 16384 && exec "$@"', "sh"]  # in units of 512 bytes


@pytest.mark.parametrize(
    "script",
    [
        pytest.param({"connect": ["reset"], "flights/2013-06.csv": ["reset", "headers"]}, id="before the body"),
        pytest.param({"flights/2013-06.csv": ["cut"], "airlines.csv": ["end"]}, id="in the body"),
    ],
)
def test_source_that_breaks_off_at_any_byte_is_read_again(
    script: dict[str, list[Any]], both: SimpleNamespace, source: Path
) -> None:
    with scripted_source(source, script) as vendor:
        record = both.tool(source=vendor.url, families=FEW)
    assert record.state == "success", record.error
    assert not any(vendor.script.values()), "some faults have not happened"
    first, *others = record.stages
    assert first.attempts > 1
    assert not [stage.stage for stage in others if stage.attempts > 1]
    assert differences(both.plain(families=FEW), without_retries(record)) == []


def test_full_disk_fails_the_run_and_leaves_nothing_half_written(home: Path) -> None:
    """The features of all flights are a file of 20 MB, for which there is no room."""
    command = [sys.executable, "-m", f"{TOOL}_impl.run", "2013-06", "--families", "logistic"]
    failed = subprocess.run(NO_FILE_ABOVE_8_MB + command, capture_output=True, text=True, timeout=180)
    store = Settings(tool=TOOL).store
    record = records.read(TOOL, "2013-06", home)
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert record.state == "failed"
    assert "could not be written (File too large); make room" in record.error
    assert {stage.stage: stage.attempts for stage in record.stages}["features"] == 1
    assert list(store.rglob("*.csv"))
    assert not [path for path in store.rglob("*") if ".tmp-" in path.name or path.suffix == ".arrow"]
    again = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert again.returncode == 0, again.stdout + again.stderr


def test_tracking_database_locked_for_long_while_a_candidate_is_trained_has_its_training_tried_again(
    both: SimpleNamespace,
) -> None:
    settings = Settings(tool=TOOL)
    command = [sys.executable, "-c", LOCK, str(settings.mlflow_database)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout
            assert other.stdout.readline() == b"watching\n"
            record = both.tool(families=FEW)
            assert other.wait(60) == 0
        finally:
            other.kill()  # it would wait for a candidate for ever
    assert record.state == "success", record.error
    assert max(stage.attempts for stage in record.stages if stage.stage == "train") == 2
    assert differences(both.plain(families=FEW), without_retries(record)) == []
    client = MlflowClient(settings.tracking_uri)
    runs = client.search_runs([found.experiment_id for found in client.search_experiments()])
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert versions(settings) == 1
