"""Stage 6, `evaluate`: routes each airport to its best candidate and compares that challenger with the champion."""

import logging
from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score

from shared.contracts import Evaluation, PermanentError, Plan, Score, Scores, Trained
from shared.lib import feature_table, plot, registry, report, tracking
from shared.lib.model import fingerprint, routed
from shared.lib.months import months_up_to
from shared.settings import Settings

BINS = 10
METRICS = ("brier", "auc", "calibration_error")

log = logging.getLogger(__name__)


def evaluate(plan: Plan, trained: Sequence[Trained], settings: Settings) -> Evaluation:
    """Score challenger, champion and the no-skill base rate on the target month, and decide by the Brier score.

    `trained` holds the candidates that survived, in any order.
    Raises PermanentError with the names of the airports that are left without a model.
    """
    with tracking.finishing(plan.run_id, settings) as mlflow:
        evaluation = compare(plan, best_by_origin(plan, trained), settings)
        track(mlflow, evaluation, trained, settings)
    for line in (*evaluation.notes, f"{evaluation.month}: {evaluation.decision}, {evaluation.reason}"):
        log.info("%s", line)
    return evaluation


def compare(plan: Plan, best: dict[str, Trained], settings: Settings) -> Evaluation:
    """Let challenger, champion and base rate predict the target month, and decide."""
    month = plan.features.month
    window = feature_table.window_rows(plan.features, settings)
    target = feature_table.target_rows(plan.features, settings)
    if target.is_empty():
        raise PermanentError(
            f"no flight of {month} arrived, expected some to evaluate on; check arr_delay in the source"
        )
    challenger = routed(best, late_rate(window), settings)
    champion = registry.by_alias(registry.CHAMPION, settings)
    challenger_says = challenger.predict_proba(target)[:, 1]
    champion_says = registry.load(champion, settings).predict_proba(target)[:, 1] if champion else None
    seen = seen_until(champion, month)
    scored = score(target, challenger_says)
    scored_champion = None if champion_says is None or seen else score(target, champion_says)
    base_rate = score(target, no_skill(window, target))
    version = str(champion.version) if champion else None
    same = champion_says is not None and np.array_equal(challenger_says, champion_says)
    decision, reason = decide(scored, scored_champion, base_rate, version, same, seen)
    return Evaluation(
        month=month,
        run_id=plan.run_id,
        features=plan.features,
        best=best,
        late_rate=challenger.late_rate,
        challenger=scored,
        champion=scored_champion,
        base_rate=base_rate,
        champion_version=version,
        challenger_fingerprint=fingerprint(challenger_says),
        champion_fingerprint=None if champion_says is None else fingerprint(champion_says),
        decision=decision,
        reason=reason,
        notes=fallbacks(target, best),
    )


def track(mlflow: MlflowClient, evaluation: Evaluation, trained: Sequence[Trained], settings: Settings) -> None:
    """Keep the scores, the decision and the calibration plot in the run, and say in its description what came of it."""
    scores = {"challenger": evaluation.challenger, "champion": evaluation.champion, "base_rate": evaluation.base_rate}
    metrics = {f"{who}_{name}": getattr(its, name) for who, its in scores.items() if its for name in METRICS}
    tracking.log(mlflow, evaluation.run_id, metrics, tags={"decision": evaluation.decision})
    leaderboard = report.markdown(report.leaderboard(trained, evaluation))
    tracking.describe(evaluation.run_id, f"{report.summary(evaluation)}\n\n{leaderboard}", settings)
    mlflow.log_text(evaluation.run_id, plot.calibration(evaluation), "calibration.svg")


def best_by_origin(plan: Plan, trained: Sequence[Trained]) -> dict[str, Trained]:
    """Each origin's candidate with the lowest Brier score; of equal ones the first planned."""
    survivors = {its.candidate.key: its for its in trained}
    best: dict[str, Trained] = {}
    for candidate in plan.candidates:
        its = survivors.get(candidate.key)
        if its and (candidate.origin not in best or its.brier < best[candidate.origin].brier):
            best[candidate.origin] = its
    left_out = sorted({candidate.origin for candidate in plan.candidates} - set(best))
    if left_out:
        raise PermanentError(
            f"no candidate survived for {', '.join(left_out)}: {len(survivors)} of {len(plan.candidates)} candidates "
            "were trained, expected at least one for each airport; see why the others failed, then run the month again"
        )
    return best


def late_rate(rows: pl.DataFrame) -> float:
    return float(rows["late"].sum() / rows.height)


def no_skill(window: pl.DataFrame, target: pl.DataFrame) -> np.ndarray:
    """For each flight the window's late rate at its origin; for a new origin, the whole window's."""
    rates = {origin: late_rate(rows) for (origin,), rows in window.partition_by("origin", as_dict=True).items()}
    return target["origin"].replace_strict(rates, default=late_rate(window), return_dtype=pl.Float64).to_numpy()


def fallbacks(target: pl.DataFrame, best: dict[str, Trained]) -> tuple[str, ...]:
    """Says which origins of the target month have no model and so get the window's late rate."""
    without = target.filter(~pl.col("origin").is_in(list(best)))
    counts = without.group_by("origin").len().sort("origin")
    return tuple(
        f"{origin} has no model (new, or too few training rows): its {count} flights get the window's late rate"
        for origin, count in counts.iter_rows()
    )


def score(target: pl.DataFrame, predicted: np.ndarray) -> Scores:
    late, origins = target["late"].to_numpy(), target["origin"].to_numpy()
    by_origin = {
        str(origin): score_rows(late[origins == origin], predicted[origins == origin]) for origin in np.unique(origins)
    }
    observed, mean = calibration_curve(late, predicted, n_bins=BINS)
    curve = tuple((float(p), float(o)) for p, o in zip(mean, observed, strict=True))
    return Scores(**score_rows(late, predicted).model_dump(), by_origin=by_origin, calibration_curve=curve)


def score_rows(late: np.ndarray, predicted: np.ndarray) -> Score:
    return Score(
        rows=len(late),
        brier=float(brier_score_loss(late, predicted, pos_label=True)),
        auc=float(roc_auc_score(late, predicted)) if 0 < late.sum() < len(late) else None,
        calibration_error=calibration_error(late, predicted),
    )


def calibration_error(late: np.ndarray, predicted: np.ndarray) -> float:
    """Expected calibration error in ten bins of equal width: Naeini, Cooper and Hauskrecht, AAAI 2015."""
    bins = np.minimum((predicted * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=predicted, minlength=BINS) - np.bincount(bins, weights=late, minlength=BINS)
    return float(np.abs(gaps).sum() / len(late))


def seen_until(champion: ModelVersion | None, month: str) -> str | None:
    """The last month that the champion was trained on, if that is the target month or a later one."""
    *_, last_seen, made_for = months_up_to(champion.tags["month"]) if champion else ("", "")
    return last_seen if made_for > month else None


def decide(
    challenger: Score,
    champion: Score | None,
    base_rate: Score,
    version: str | None,
    same: bool,
    seen: str | None = None,
) -> tuple[Literal["promote", "keep"], str]:
    """Promote a challenger that beats the base rate and the champion by its Brier score.

    `version` is the champion's; `same` tells that it predicts just what the challenger does; `seen` is the last month
    that it was trained on, if it can't be compared for that.
    """
    mine = f"challenger's Brier score {challenger.brier:.4f}"
    if seen:
        return "keep", (
            f"version {version} in service was trained on months up to {seen}, so it has seen the month and can't be "
            f"compared; run a month after {seen}"
        )
    if challenger.brier >= base_rate.brier:
        return "keep", f"{mine} does not beat the base rate's {base_rate.brier:.4f}"
    if champion is None:
        return "promote", f"{mine} beats the base rate's {base_rate.brier:.4f}, and there is no champion yet"
    if same:
        return "keep", f"this very model is in service already, as version {version}: nothing changes"
    if challenger.brier < champion.brier:
        return "promote", f"{mine} beats the {champion.brier:.4f} of version {version} in service"
    return "keep", f"{mine} does not beat the {champion.brier:.4f} of version {version} in service"
