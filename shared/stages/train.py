"""Stage 5, `train`: fits one candidate and scores it on the window's last 14 days."""

import logging
import time
from typing import Any

import polars as pl
import skops.io
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.pipeline import Pipeline

from shared.contracts import Candidate, Plan, Trained
from shared.lib import feature_table, store, tracking
from shared.lib.families import unfitted
from shared.lib.model import fingerprint
from shared.lib.months import holdout_start
from shared.settings import Settings

log = logging.getLogger(__name__)


def train(candidate: Candidate, plan: Plan, settings: Settings) -> Trained:
    """Fit on the window less its last 14 days, score those, and keep the model as a skops file.

    Tracked as one MLflow run, nested under the plan's.
    """
    began = time.perf_counter()
    run_id = tracking.start_candidate(plan, candidate, settings)
    with tracking.finishing(run_id, settings) as mlflow:
        fit, holdout = split(plan, candidate.origin, settings)
        model = unfitted(candidate.family, settings.seed).fit(fit, fit["late"].to_numpy())
        late, predicted = holdout["late"].to_numpy(), model.predict_proba(holdout)[:, 1]
        brier = float(brier_score_loss(late, predicted))
        auc = float(roc_auc_score(late, predicted)) if 0 < late.sum() < len(late) else None
        name = f"models/{plan.features.month}/{candidate.key.replace(':', '.')}.skops"
        # skops writes the same model in other bytes each time: its data and its predictions tell what it is
        content = store.sha256(f"{plan.features.file.sha256} {settings.seed} {fingerprint(predicted)}".encode())
        file = store.add_as(content, settings.store, name, skops.io.dumps(model))
        rows = {"rows": fit.height, "holdout_rows": holdout.height}
        params = {**candidate.model_dump(), **hyperparameters(model), **{name: str(n) for name, n in rows.items()}}
        tracking.log(mlflow, run_id, {"brier": brier, "auc": auc}, params)
    log.info(
        "%s: Brier score %.4f on %d flights, %.1f s", candidate.key, brier, holdout.height, time.perf_counter() - began
    )
    return Trained(candidate=candidate, model=file, brier=brier, auc=auc, run_id=run_id)


def split(plan: Plan, origin: str, settings: Settings) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The origin's rows of the window: those to fit on, and those of its last 14 days."""
    rows = feature_table.window_rows(plan.features, settings).filter(pl.col("origin") == origin)
    fit = pl.col("date") < holdout_start(plan.features.month)
    return rows.filter(fit), rows.filter(~fit)


def hyperparameters(model: Any) -> dict[str, str]:
    """The parameters of the classifier, at the end of its pipeline, that are numbers or words."""
    classifier = model[-1] if isinstance(model, Pipeline) else model
    params = classifier.get_params(deep=False).items()
    return {name: str(value) for name, value in params if isinstance(value, (bool, int, float, str))}
