"""Stage 5: fits on the window less its last 14 days, and tracks each candidate as one nested MLflow run."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import skops.io
from mlflow.entities import Run
from sklearn.metrics import brier_score_loss, roc_auc_score

from shared.contracts import Candidate, Features, PermanentError, Plan, Trained
from shared.lib import tracking
from shared.lib.feature_table import FEATURE_COLUMNS
from shared.lib.model import TRUSTED_TYPES
from shared.settings import ROOT, Settings
from shared.stages.train import split, train

MONTH = "2013-05"
HOLDOUT = date(2013, 4, 17)
EWR = Candidate(origin="EWR", family="logistic")
Altered = Callable[[Features, pl.DataFrame], Features]


def nested(plan: Plan, settings: Settings) -> list[Run]:
    """The MLflow runs under the plan's own."""
    runs = tracking.client(settings).search_runs([tracking.experiment_id(settings)])
    return [run for run in runs if run.data.tags.get("mlflow.parentRunId") == plan.run_id]


def model_of(trained: Trained, settings: Settings) -> Any:
    return skops.io.load(settings.store / trained.model.path, trusted=TRUSTED_TYPES)


@pytest.mark.parametrize("origin", ["EWR", "JFK", "LGA"])
def test_window_is_split_before_its_last_14_days(
    planned: Plan, settings: Settings, rows: pl.DataFrame, origin: str
) -> None:
    fit, holdout = split(planned, origin, settings)

    own = rows.filter(pl.col("origin") == origin, pl.col("month") != MONTH)
    assert fit.equals(own.filter(pl.col("date") < HOLDOUT))
    assert holdout.equals(own.filter(pl.col("date") >= HOLDOUT))
    assert fit["date"].max() == date(2013, 4, 16)
    assert (holdout["date"].min(), holdout["date"].max()) == (HOLDOUT, date(2013, 4, 30))


def test_scores_are_those_of_the_stored_model_on_the_last_14_days(planned: Plan, settings: Settings) -> None:
    trained = train(EWR, planned, settings)

    _, holdout = split(planned, "EWR", settings)
    late, predicted = holdout["late"].to_numpy(), model_of(trained, settings).predict_proba(holdout)[:, 1]
    assert trained.brier == brier_score_loss(late, predicted)
    assert trained.auc == roc_auc_score(late, predicted)
    assert trained.candidate == EWR


@pytest.mark.parametrize("family", ["logistic", "boosting20"])
def test_model_does_not_see_the_target_month_nor_the_last_14_days(
    planned: Plan, settings: Settings, rows: pl.DataFrame, altered: Altered, family: str
) -> None:
    candidate = Candidate(origin="EWR", family=family)
    honest = train(candidate, planned, settings)
    unseen = (pl.col("month") == MONTH) | (pl.col("date") >= HOLDOUT)
    changed = rows.with_columns(
        late=pl.col("late") ^ unseen,
        distance=pl.when(unseen).then(-1.0).otherwise("distance"),
        dest=pl.when(unseen).then(pl.lit("???")).otherwise("dest"),
    )

    blind = train(candidate, planned.model_copy(update={"features": altered(planned.features, changed)}), settings)

    assert blind.brier != honest.brier
    one, other = (model_of(trained, settings).predict_proba(rows) for trained in (honest, blind))
    assert np.array_equal(one, other)


def test_model_learns_from_the_rest_of_the_window(
    planned: Plan, settings: Settings, rows: pl.DataFrame, altered: Altered
) -> None:
    changed = rows.with_columns(late=pl.col("late") ^ (pl.col("date") < HOLDOUT))

    other = train(EWR, planned.model_copy(update={"features": altered(planned.features, changed)}), settings)

    assert other.brier > train(EWR, planned, settings).brier


def test_auc_is_null_if_the_last_14_days_hold_one_class(
    planned: Plan, settings: Settings, rows: pl.DataFrame, altered: Altered
) -> None:
    punctual = rows.with_columns(late=pl.col("late") & (pl.col("date") < HOLDOUT))

    trained = train(EWR, planned.model_copy(update={"features": altered(planned.features, punctual)}), settings)

    assert trained.auc is None
    assert 0 < trained.brier < 1
    (run,) = nested(planned, settings)
    assert run.data.metrics == {"brier": trained.brier}


def test_each_candidate_has_one_nested_run_in_whatever_process_it_was_trained(
    planned: Plan, settings: Settings
) -> None:
    jfk = Candidate(origin="JFK", family="boosting20")
    code = (
        "import sys; from shared import contracts, settings; from shared.stages import train; "
        "types = contracts.Candidate, contracts.Plan, settings.Settings; "
        "print(train.train(*(t.model_validate_json(a) for t, a in zip(types, sys.argv[1:]))).model_dump_json())"
    )
    given = [argument.model_dump_json() for argument in (jfk, planned, settings)]
    with subprocess.Popen([sys.executable, "-c", code, *given], cwd=ROOT, stdout=subprocess.PIPE) as process:
        here = train(EWR, planned, settings)
        out, _ = process.communicate(timeout=120)
    there = Trained.model_validate_json(out.splitlines()[-1])

    runs = {run.info.run_name: run for run in nested(planned, settings)}
    assert set(runs) == {"EWR/logistic", "JFK/boosting20"}
    for trained in (here, there):
        run = runs[trained.candidate.key]
        assert run.info.run_id == trained.run_id
        assert run.info.status == "FINISHED"
        assert trained.candidate.model_dump().items() <= run.data.params.items()
        assert int(run.data.params["rows"]) > int(run.data.params["holdout_rows"]) > 0
        assert run.data.tags["month"] == planned.features.month
        used = {
            tag.value: each.dataset
            for each in run.inputs.dataset_inputs
            for tag in each.tags
            if tag.key == "mlflow.data.context"
        }
        for context, rows in {"training": "rows", "holdout": "holdout_rows"}.items():
            assert used[context].name == f"{planned.features.file.name} {trained.candidate.origin} {context}"
            assert planned.features.file.sha256.startswith(used[context].digest)
            assert json.loads(used[context].profile)["num_rows"] == int(run.data.params[rows])
        assert run.data.metrics == {"brier": trained.brier, "auc": trained.auc}
    assert runs["EWR/logistic"].data.params["max_iter"] == "300"
    assert runs["JFK/boosting20"].data.params["max_leaf_nodes"] == "8"


def test_second_attempt_goes_on_in_the_first_ones_run(planned: Plan, settings: Settings) -> None:
    features = settings.store / planned.features.file.path
    features.rename(features.with_suffix(".away"))
    with pytest.raises(FileNotFoundError):
        train(EWR, planned, settings)
    (failed,) = nested(planned, settings)
    assert failed.info.status == "FAILED"

    features.with_suffix(".away").rename(features)
    trained = train(EWR, planned, settings)

    (run,) = nested(planned, settings)
    assert run.info.run_id == failed.info.run_id == trained.run_id
    assert run.info.status == "FINISHED"


def test_training_twice_gives_the_same_result_in_the_same_run(planned: Plan, settings: Settings) -> None:
    one, other = train(EWR, planned, settings), train(EWR, planned, settings)

    assert (one.brier, one.auc, one.run_id) == (other.brier, other.auc, other.run_id)
    assert len(nested(planned, settings)) == 1


@pytest.mark.usefixtures("own_families")
@pytest.mark.parametrize(
    ("family", "error", "words"),
    [("families:broken", ValueError, "convert"), ("nonsense", PermanentError, "model family 'nonsense' is unknown")],
)
def test_candidate_that_fails_marks_its_run_and_leaves_no_model(
    planned: Plan, settings: Settings, family: str, error: type[Exception], words: str
) -> None:
    before = set(settings.store.rglob("*"))

    with pytest.raises(error, match=words):
        train(Candidate(origin="EWR", family=family), planned, settings)

    (run,) = nested(planned, settings)
    assert (run.info.run_name, run.info.status) == (f"EWR/{family}", "FAILED")
    assert set(settings.store.rglob("*")) == before


def test_models_that_differ_only_beyond_the_last_14_days_are_stored_apart(
    planned: Plan, settings: Settings, rows: pl.DataFrame, altered: Altered
) -> None:
    unknown = rows.with_columns(  # the last 14 days tell the model nothing, so that it says the same of all of them
        carrier=pl.when(pl.col("date") >= HOLDOUT).then(pl.lit("??")).otherwise("carrier"),
        dest=pl.when(pl.col("date") >= HOLDOUT).then(pl.lit("??")).otherwise("dest"),
    )
    swapped = unknown.with_columns(dest=pl.col("dest").replace({"LAX": "SFO", "SFO": "LAX"}))

    candidate = Candidate(origin="EWR", family="boosting20")
    one, other = (
        train(candidate, planned.model_copy(update={"features": altered(planned.features, table)}), settings)
        for table in (unknown, swapped)
    )

    flights = rows.filter(origin="EWR", dest="LAX")
    predicted = [model_of(trained, settings).predict_proba(flights) for trained in (one, other)]
    assert one.model.path != other.model.path
    assert not np.array_equal(*predicted)


@pytest.mark.usefixtures("own_families")
def test_family_of_ones_own_is_trained_and_stored(planned: Plan, settings: Settings) -> None:
    trained = train(Candidate(origin="EWR", family="families:constant"), planned, settings)

    fit, _ = split(planned, "EWR", settings)
    late = model_of(trained, settings).predict_proba(fit.select(FEATURE_COLUMNS))[:, 1]
    assert set(late) == {fit["late"].mean()}


def test_reference_to_a_trained_model_is_small_json(results: Any) -> None:
    for trained in results.trained:
        text = trained.model_dump_json()
        assert Trained.model_validate_json(text) == trained
        assert len(text) < 1000
        assert not Path(json.loads(text)["model"]["path"]).is_absolute()
