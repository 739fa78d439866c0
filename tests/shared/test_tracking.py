"""MLflow: one store for all, made once, and no run left as running by mistake."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared import tracking
from shared.contracts import Features, File
from shared.settings import Settings

FEATURES = Features(
    month="2013-06",
    window=("2013-05",),
    file=File(name="", path="", sha256=""),
    rows=0,
    inputs={"planes.csv": "0" * 64},
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
