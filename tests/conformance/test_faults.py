"""Faults from outside, the same for all tools: a source that fails, a full disk, a locked database."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.runtime import records
from shared.runtime.records import differences
from shared.settings import Settings
from tests.conformance.test_conformance import versions
from tests.conftest import TOOL
from tests.faults import scripted_source

pytestmark = pytest.mark.slow

# Takes the database as its own when it is first asked to, and for 8 s after the run has come that far, longer than
# SQLite would wait by itself.
LOCK = """
import sqlite3, sys, time
from pathlib import Path
database = sqlite3.connect(sys.argv[1])
database.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
while not list(Path(sys.argv[2]).rglob("*.arrow")):
    time.sleep(0.05)
time.sleep(8)
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
        record = both.tool(source=vendor.url)
    assert record.state == "success", record.error
    assert not any(vendor.script.values()), "some faults have not happened"
    first, *others = record.stages
    assert first.attempts > 1
    mended = record.model_copy(update={"stages": [first.model_copy(update={"attempts": 1}), *others]})
    assert differences(both.plain(), mended) == []


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


def test_tracking_database_locked_by_another_process_is_waited_for(both: SimpleNamespace) -> None:
    plain, settings = both.plain(), Settings(tool=TOOL)
    database = settings.mlflow / "mlflow.db"
    command = [sys.executable, "-c", LOCK, str(database), str(settings.store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "locked\n"
        record = both.tool()
    assert record.state == "success", record.error
    assert differences(plain, record) == []
    assert versions(settings) == 1
