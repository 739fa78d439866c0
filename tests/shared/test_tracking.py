"""MLflow: one store for all, made once, and no run left as running by mistake."""

import itertools
import multiprocessing
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import ViewType
from sqlalchemy import event

from shared.contracts import Candidate, Features, File, PermanentError, Plan, TransientError
from shared.lib import mlflow_database, registry, tracking
from shared.lib.code_version import code_version
from shared.settings import Settings

LOCKED = r"^MLflow's database has been locked by another process for more than .* run the month again$"
STEP = 0.4  # seconds from one kill to the next
FEATURES = Features(
    month="2013-06",
    window=("2013-05",),
    file=File(name="", path="", sha256=""),
    rows=0,
    inputs={},
    notes=(),
)


def status(run_id: str, settings: Settings) -> str:
    found: str = tracking.client(settings).get_run(run_id).info.status
    return found


def test_store_and_artifacts_lie_in_the_home(settings: Settings) -> None:
    experiment = tracking.client(settings).get_experiment(tracking.experiment_id(settings))

    assert (settings.home / "mlflow" / "mlflow.db").is_file()
    assert experiment.name == "triptych-plain"
    assert experiment.artifact_location == (settings.home / "mlflow" / "artifacts" / "triptych-plain").as_uri()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_database_whose_making_is_killed_at_any_moment_is_made_by_the_next_user(tmp_path: Path) -> None:
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["shared.lib.tracking"])
    for moment in itertools.count():
        settings = Settings(home=tmp_path / f"killed after {moment * STEP:.1f} s")
        maker = processes.Process(target=tracking.client, args=[settings])
        maker.start()
        while not settings.mlflow.exists():
            time.sleep(0.005)
        time.sleep(moment * STEP)  # the moment of the kill
        in_time = not settings.mlflow_database.exists()
        maker.kill()
        maker.join()
        if not in_time:
            break
        assert tracking.experiment_id(settings)
    assert moment > 1, "few were killed in time"


def test_database_that_is_half_made_is_told_with_the_cure(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    settings.mlflow.mkdir()
    with closing(sqlite3.connect(settings.mlflow_database)) as database:
        database.execute("CREATE TABLE experiments (id INTEGER)")

    with pytest.raises(PermanentError, match=r"mlflow\.db is not whole, .*; delete this file, and run the month again"):
        tracking.client(settings)


@pytest.fixture
def locked(settings: Settings) -> Iterator[None]:
    """Another user of the database holds its lock."""
    tracking.experiment_id(settings)
    with closing(sqlite3.connect(settings.mlflow_database)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("ask", [registry.aliases, partial(tracking.run_url, "a")], ids=["aliases", "run_url"])
def test_locked_database_is_told_in_one_sentence_to_a_new_process(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Settings], object]
) -> None:
    monkeypatch.setattr(tracking, "BUSY_SECONDS", 0.1)
    tracking.client.cache_clear()
    tracking.experiment_id.cache_clear()

    with pytest.raises(TransientError, match=LOCKED):
        ask(settings)


@pytest.mark.slow
def test_database_that_is_locked_while_mlflow_opens_it_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path)
    settings.mlflow.mkdir()
    mlflow_database.create(settings)
    monkeypatch.setattr(mlflow_database, "check_whole", lambda *_: None)  # the lock comes after it
    with closing(sqlite3.connect(settings.mlflow_database)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TransientError, match=LOCKED), tracking.outage_is_transient():
            tracking.client(settings)


@pytest.mark.slow
@pytest.mark.usefixtures("locked")
def test_locked_database_is_told_in_one_sentence_in_the_middle_of_a_run(settings: Settings) -> None:
    with pytest.raises(TransientError, match=LOCKED), tracking.outage_is_transient():
        tracking.start_parent(FEATURES, "a", None, settings)


def test_runs_of_a_stopped_orchestrators_run_are_killed_and_no_others(settings: Settings) -> None:
    stopped, other = (tracking.start_parent(FEATURES, name, None, settings) for name in ("a", "b"))
    planned = Plan(features=FEATURES, candidates=(), experiment=settings.experiment, run_id=stopped)
    nested = tracking.start_candidate(planned, Candidate(origin="EWR", family="logistic"), settings)

    tracking.kill("a", settings)

    assert [status(run, settings) for run in (stopped, nested, other)] == ["KILLED", "KILLED", "RUNNING"]


def test_run_bears_the_version_of_the_code(settings: Settings) -> None:
    run = tracking.client(settings).get_run(tracking.start_parent(FEATURES, "a", None, settings))

    assert run.data.tags["code.version"] == code_version()


def test_first_users_at_once_share_one_experiment(settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: tracking.experiment_id(settings), range(8)))

    assert len(found) == 1


def test_run_that_ends_well_is_finished(settings: Settings) -> None:
    run_id = tracking.start_parent(FEATURES, "a", None, settings)

    with tracking.finishing(run_id, settings):
        assert status(run_id, settings) == "RUNNING"

    assert status(run_id, settings) == "FINISHED"


@pytest.mark.parametrize(
    ("error", "ended"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED"), (SystemExit, "KILLED")]
)
def test_run_that_ends_in_an_error_is_failed_or_killed_and_the_error_passes(
    settings: Settings, error: type[BaseException], ended: str
) -> None:
    run_id = tracking.start_parent(FEATURES, "a", None, settings)

    with pytest.raises(error), tracking.finishing(run_id, settings):
        raise error

    assert status(run_id, settings) == ended


@pytest.fixture
def interrupted(settings: Settings) -> Callable[[], None]:
    """Asks MLflow's database, and gets an interrupt when SQLite has begun to answer."""
    store = tracking.client(settings)._tracking_client.store

    def interrupt(cursor: sqlite3.Cursor, statement: str, parameters: Any, context: Any) -> None:
        if statement.startswith("SELECT "):
            event.remove(store.engine, "do_execute", interrupt)
            cursor.execute(statement, parameters)
            raise KeyboardInterrupt

    def ask() -> None:
        event.listen(store.engine, "do_execute", interrupt)
        store.search_runs([tracking.experiment_id(settings)], "", ViewType.ALL)

    return ask


def test_run_that_is_interrupted_in_a_query_is_killed_and_the_interrupt_passes(
    settings: Settings, interrupted: Callable[[], None]
) -> None:
    run_id = tracking.start_parent(FEATURES, "a", None, settings)

    with pytest.raises(KeyboardInterrupt), tracking.finishing(run_id, settings):
        interrupted()

    assert status(run_id, settings) == "KILLED"


def test_runs_of_an_orchestrators_run_are_killed_though_an_interrupt_in_a_query_is_being_handled(
    settings: Settings, interrupted: Callable[[], None]
) -> None:
    run_id = tracking.start_parent(FEATURES, "a", None, settings)

    try:
        interrupted()
    except KeyboardInterrupt:
        tracking.kill("a", settings)

    assert status(run_id, settings) == "KILLED"


def test_run_that_has_been_running_for_hours_is_marked_as_killed(settings: Settings) -> None:
    client, experiment = tracking.client(settings), tracking.experiment_id(settings)
    hours_ago = int((time.time() - 7 * 3600) * 1000)
    old = client.create_run(experiment, start_time=hours_ago).info.run_id
    done = client.create_run(experiment, start_time=hours_ago).info.run_id
    client.set_terminated(done)
    young = client.create_run(experiment).info.run_id

    tracking.start_parent(FEATURES, "a", None, settings)

    assert [status(run, settings) for run in (old, done, young)] == ["KILLED", "FINISHED", "RUNNING"]


def test_metrics_without_a_value_are_left_out(settings: Settings) -> None:
    run_id = tracking.start_parent(FEATURES, "a", None, settings)

    tracking.log(tracking.client(settings), run_id, {"brier": 0.5, "auc": None})

    assert tracking.client(settings).get_run(run_id).data.metrics == {"brier": 0.5}


def test_json_that_a_run_has_kept_is_read_without_a_progress_bar(
    settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    run_id = tracking.start_parent(FEATURES, "a", None, settings)
    tracking.client(settings).log_dict(run_id, {"a": 1}, "kept.json")

    assert tracking.read_json(run_id, "kept.json", settings) == {"a": 1}
    assert "artifacts" not in capfd.readouterr().err
