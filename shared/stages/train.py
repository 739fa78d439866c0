"""Stage 5, `train`: fits one candidate and scores it on the window's last 14 days."""

import logging
import time
from typing import Any

import numpy as np
import polars as pl
import skops.io
from sklearn.pipeline import Pipeline

from shared.contracts import Candidate, File, Plan, Trained
from shared.lib import datasets, feature_table, store, tracing, tracking
from shared.lib.families import unfitted
from shared.lib.model import fingerprint
from shared.lib.months import holdout_start
from shared.lib.scoring import score
from shared.lib.stage import stage
from shared.settings import Settings

log = logging.getLogger(__name__)


@stage
@tracking.outage_is_transient()
def train(candidate: Candidate, plan: Plan, settings: Settings) -> Trained:
    """Fit on the window less its last 14 days, score those, and keep the model as a skops file.

    Tracked as one MLflow run, nested under the plan's.
    """
    began = time.perf_counter()
    run_id = tracking.start_candidate(plan, candidate, settings)
    with tracking.finishing(run_id, settings) as client:
        fit, holdout = split(plan, candidate.origin, settings)
        parts = {"training": fit, "holdout": holdout}
        used = [datasets.part(plan.features, rows, name, settings, candidate.origin) for name, rows in parts.items()]
        datasets.log(run_id, used, settings)
        model = unfitted(candidate.family, settings.seed)
        with tracing.span("fit", rows=fit.height):
            model.fit(fit, fit["late"].to_numpy())
        predicted = model.predict_proba(holdout)[:, 1]
        scores = score(holdout["late"].to_numpy(), predicted)
        file = store_model(model, predicted, candidate, plan, settings)
        rows = {"rows": str(fit.height), "holdout_rows": str(holdout.height)}
        params = {**candidate.model_dump(), **hyperparameters(model), **rows}
        tracking.log(client, run_id, {"brier": scores.brier, "auc": scores.auc}, params)
    seconds = time.perf_counter() - began
    log.info("%s: Brier score %.4f on %d flights, %.1f s", candidate.key, scores.brier, scores.rows, seconds)
    return Trained(candidate=candidate, model=file, brier=scores.brier, auc=scores.auc, run_id=run_id)


def split(plan: Plan, origin: str, settings: Settings) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The origin's rows of the window: those to fit on, and those of its last 14 days."""
    rows = feature_table.window_rows(plan.features, settings).filter(pl.col("origin") == origin)
    fit = pl.col("date") < holdout_start(plan.features.month)
    return rows.filter(fit), rows.filter(~fit)


def store_model(model: Any, predicted: np.ndarray, candidate: Candidate, plan: Plan, settings: Settings) -> File:
    """Store the model under a digest of its data and its predictions: skops writes it in other bytes each time."""
    name = f"models/{plan.features.month}/{candidate.key.replace(':', '.')}.skops"
    content = f"{plan.features.file.sha256} {settings.seed} {fingerprint(predicted)}"
    return store.add_as(store.sha256(content.encode()), settings, name, skops.io.dumps(model))


def hyperparameters(model: Any) -> dict[str, str]:
    """The parameters of the classifier, at the end of its pipeline, that are numbers or words."""
    classifier = model[-1] if isinstance(model, Pipeline) else model
    params = classifier.get_params(deep=False).items()
    return {name: str(value) for name, value in params if isinstance(value, (bool, int, float, str))}
