"""Airflow checks a Dag's tasks and schedule when it reads the file, and the types of what a run is started with."""

import json
import os
import shutil
from pathlib import Path

import pytest
import structlog

from tests.live.airflow import InProcess
from tests.mistakes import HERE, Mistake, Seen, python, shortened, timed

BUNDLES = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
IMPORT_ERROR = (
    "the file's import error, in `airflow dags list-import-errors --local` at once; in the web UI when Airflow next "
    "reads it: by default a new file within {} s, a changed one within {} s"
)
RAISED = "the exception with which `dag.test()` ends"
LOG = "the task's log"
RUN = "the run succeeds; this is what it prints, and its tasks' states"


class Airflow:
    """What a person does with a file: save it in the folder of the Dags, where Airflow reads it, and run it."""

    def __init__(self, in_process: InProcess, dags: Path, screen: pytest.CaptureFixture[str]) -> None:
        self.in_process, self.dags, self.screen = in_process, dags, screen

    def load(self, file: Path) -> Seen | None:
        """The file's import error, after it was saved; None if there is none."""
        message, seconds = timed(lambda: self.read(Path(shutil.copy(file, self.dags))))
        return Seen(message, "loading", seconds) if message else None

    def read(self, file: Path) -> str:
        from airflow.dag_processing.dagbag import BundleDagBag

        found = BundleDagBag(self.dags, bundle_path=self.dags, bundle_name="mistakes").import_errors
        return shortened("\n".join(f"{name}: {error}" for name, error in found.items()), file)

    def run(self, file: Path) -> Seen:
        """What `python file.py` tells, which calls `dag.test()`, with Airflow loaded already."""
        self.screen.readouterr()
        with structlog.testing.capture_logs([structlog.processors.format_exc_info]) as log:
            raised, seconds = timed(lambda: python(self.dags / file.name))
        if raised:
            return Seen(raised, "start", seconds)
        errors = [f"{entry['event']}\n{entry['exception']}" for entry in log if "exception" in entry]
        if errors:
            return Seen(shortened(errors[0], file), "run", seconds)
        return Seen(self.screen.readouterr().out + self.states(), "never", seconds)

    def states(self) -> str:
        """The tasks of the newest run, each with its state."""
        from airflow.models.dagrun import DagRun

        newest = max(DagRun.find(dag_id="flights"), key=lambda run: run.run_after)
        return "\n".join(f"{name}: {state}" for name, state in self.in_process.states(newest).items())


def import_error() -> str:
    from airflow.configuration import conf

    asked = ("refresh_interval", "min_file_process_interval")
    return IMPORT_ERROR.format(*(conf.get_default_value("dag_processor", name) for name in asked))


@pytest.fixture
def airflow(
    in_process: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Airflow:
    from airflow._shared.logging.structlog import NAME_TO_LEVEL, PER_LOGGER_LEVELS

    monkeypatch.setitem(PER_LOGGER_LEVELS, "task", NAME_TO_LEVEL["info"])  # as it is in Airflow's own settings
    monkeypatch.setenv("AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL", "0")  # all these Dags have one name
    dags = tmp_path / "dags"
    dags.mkdir()
    bundles = json.loads(os.environ[BUNDLES])
    mistakes = {**bundles[0], "name": "mistakes", "kwargs": {"path": str(dags)}}
    monkeypatch.setenv(BUNDLES, json.dumps([mistakes, *bundles]))
    return Airflow(in_process, dags, capsys)


def test_no_mistake(airflow: Airflow) -> None:
    """Comes first, so that no mistake's seconds are those of what Airflow loads once."""
    right = HERE / "airflow" / "no_mistake.py"
    assert airflow.load(right) is None
    seen = airflow.run(right)
    assert (seen.when, seen.message) == ("never", "28 flights\ncount: success\nreport: success")


def test_cycle(airflow: Airflow, mistake: Mistake) -> None:
    seen = airflow.load(mistake.file)
    assert seen
    assert "Faulty task: report" in seen.message
    mistake.seen(seen, import_error())


def test_unknown_parameter(airflow: Airflow, mistake: Mistake) -> None:
    assert airflow.load(mistake.file) is None
    seen = airflow.run(mistake.file)
    assert "the month is 2013-05" in seen.message
    mistake.seen(seen, RUN)


def test_wrong_type(airflow: Airflow, mistake: Mistake) -> None:
    assert airflow.load(mistake.file) is None
    seen = airflow.run(mistake.file)
    assert "Invalid input for param days" in seen.message
    mistake.seen(seen, RAISED)


def test_missing_dependency(airflow: Airflow, mistake: Mistake) -> None:
    seen = airflow.load(mistake.file)
    assert seen
    assert "name 'cuonted' is not defined" in seen.message
    mistake.seen(seen, import_error())


def test_exception(airflow: Airflow, mistake: Mistake) -> None:
    assert airflow.load(mistake.file) is None
    seen = airflow.run(mistake.file)
    assert "in average" in seen.message
    mistake.seen(seen, LOG)


def test_bad_cron(airflow: Airflow, mistake: Mistake) -> None:
    seen = airflow.load(mistake.file)
    assert seen
    assert "AirflowTimetableInvalid" in seen.message
    mistake.seen(seen, import_error())


def test_duplicate_name(airflow: Airflow, mistake: Mistake) -> None:
    assert airflow.load(mistake.file) is None
    seen = airflow.run(mistake.file)
    assert "count__1: success" in seen.message
    mistake.harmless(seen, RUN)


def test_unserialisable_result(airflow: Airflow, mistake: Mistake) -> None:
    assert airflow.load(mistake.file) is None
    seen = airflow.run(mistake.file)
    assert "serialize" in seen.message
    mistake.seen(seen, LOG)


def test_import_error(airflow: Airflow, mistake: Mistake) -> None:
    seen = airflow.load(mistake.file)
    assert seen
    assert "No module named 'polers'" in seen.message
    mistake.seen(seen, import_error())


def test_missing_partition(airflow: Airflow, mistake: Mistake) -> None:
    assert airflow.load(mistake.file) is None
    message, seconds = timed(lambda: triggered(airflow.dags, mistake.file))
    assert message.startswith("queued")
    mistake.seen(Seen(message, "never", seconds), "the run is made, and waits for the scheduler")


def triggered(dags: Path, file: Path) -> str:
    """The run that the function behind the API makes of what the file's last line asks; no scheduler runs it here."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.utils.types import DagRunTriggeredByType

    sync_bag_to_db(BundleDagBag(dags, bundle_path=dags, bundle_name="mistakes"), "mistakes", bundle_version=None)
    asked = json.loads(file.read_text("utf-8").split("/dagRuns ")[1])
    by = DagRunTriggeredByType.REST_API
    run = trigger_dag("flights", triggered_by=by, partition_key=asked["partition_key"])
    assert run
    return f"{run.state}, partition_key {run.partition_key}, partition_date {run.partition_date}"
