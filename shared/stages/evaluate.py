"""Stage 6, `evaluate`: routes each airport to its best candidate and compares that challenger with the champion."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from mlflow import MlflowClient

from shared.contracts import Decision, Evaluation, PermanentError, Plan, Score, Scores, Trained
from shared.lib import datasets, feature_table, plot, registry, report, tracking
from shared.lib.importance import IMPORTANCE, importance
from shared.lib.model import RoutedModel, fingerprint, routed
from shared.lib.months import months_up_to
from shared.lib.scoring import score_by_origin
from shared.lib.stage import stage
from shared.settings import Settings

METRICS = ("brier", "auc", "calibration_error")

log = logging.getLogger(__name__)


class Challenger(NamedTuple):
    """The challenger on the target month."""

    fingerprint: str
    scores: Scores


class Champion(NamedTuple):
    """The version in service on the target month; all is None if there is no version in service.

    `seen_until` is the last month that it was trained on, if that is the target month or a later one; it then has no
    scores, as they would not be honest.
    """

    version: str | None = None
    fingerprint: str | None = None
    scores: Scores | None = None
    seen_until: str | None = None


@stage
@tracking.outage_is_transient()
def evaluate(plan: Plan, trained: Sequence[Trained], settings: Settings) -> Evaluation:
    """Score challenger, champion and the no-skill base rate on the target month, and decide by the Brier score.

    `trained` holds the candidates that survived, in any order.
    Raises PermanentError with the names of the airports that are left without a model.
    """
    with tracking.finishing(plan.run_id, settings) as client:
        evaluation = compare(plan, best_by_origin(plan, trained), settings)
        track(client, evaluation, trained, settings)
        explain(client, evaluation, settings)
    for line in (*evaluation.notes, f"{evaluation.month}: {evaluation.decision}, {evaluation.reason}"):
        log.info("%s", line)
    return evaluation


def best_by_origin(plan: Plan, trained: Sequence[Trained]) -> dict[str, Trained]:
    """Each origin's candidate with the lowest Brier score; of equal ones the first planned."""
    survivors = {survivor.candidate.key: survivor for survivor in trained}
    best: dict[str, Trained] = {}
    for candidate in plan.candidates:
        survivor = survivors.get(candidate.key)
        if survivor and (candidate.origin not in best or survivor.brier < best[candidate.origin].brier):
            best[candidate.origin] = survivor
    left_out = sorted({candidate.origin for candidate in plan.candidates} - set(best))
    if left_out:
        raise PermanentError(
            f"no candidate survived for {', '.join(left_out)}: {len(survivors)} of {len(plan.candidates)} candidates "
            "were trained, expected at least one for each airport; see why the others failed, then run the month again"
        )
    return best


def compare(plan: Plan, best: dict[str, Trained], settings: Settings) -> Evaluation:
    """Let challenger, champion and base rate predict the target month, score them, and decide."""
    month = plan.features.month
    window = feature_table.window_rows(plan.features, settings)
    target = feature_table.target_rows(plan.features, settings)
    check_arrivals(target, month)
    challenger = challenger_on(target, routed(best, late_rate(window), settings))
    champion = champion_on(target, month, settings)
    base_rate = score_by_origin(target, no_skill(window, target))
    decision, reason = decide(challenger, champion, base_rate)
    return Evaluation(
        month=month,
        run_id=plan.run_id,
        features=plan.features,
        best=best,
        late_rate=late_rate(window),
        challenger=challenger.scores,
        champion=champion.scores,
        base_rate=base_rate,
        champion_version=champion.version,
        challenger_fingerprint=challenger.fingerprint,
        champion_fingerprint=champion.fingerprint,
        decision=decision,
        reason=reason,
        notes=fallback_notes(target, best),
    )


def check_arrivals(target: pl.DataFrame, month: str) -> None:
    """Raise PermanentError if the target month has no row to evaluate on."""
    if target.is_empty():
        raise PermanentError(
            f"no flight of {month} arrived, expected some to evaluate on; check arr_delay in the source"
        )


def challenger_on(target: pl.DataFrame, model: RoutedModel) -> Challenger:
    """The challenger's predictions, scored."""
    predicted = model.predict_proba(target)[:, 1]
    return Challenger(fingerprint(predicted), score_by_origin(target, predicted))


def champion_on(target: pl.DataFrame, month: str, settings: Settings) -> Champion:
    """The predictions of the version in service, scored if it was trained on earlier months only."""
    version = registry.by_alias(registry.CHAMPION, settings)
    if version is None:
        return Champion()
    predicted = registry.load(version, settings).predict_proba(target)[:, 1]
    seen = seen_until(version.tags["month"], month)
    scores = None if seen else score_by_origin(target, predicted)
    return Champion(str(version.version), fingerprint(predicted), scores, seen)


def seen_until(champion_month: str, month: str) -> str | None:
    """The last month in the training window of `champion_month`, if that is `month` or a later one."""
    last_month = months_up_to(champion_month)[-2]
    return last_month if last_month >= month else None


def late_rate(rows: pl.DataFrame) -> float:
    """The share of late flights."""
    return float(rows["late"].sum() / rows.height)


def no_skill(window: pl.DataFrame, target: pl.DataFrame) -> np.ndarray:
    """For each flight the window's late rate at its origin; for a new origin, the whole window's."""
    rates = {origin: late_rate(rows) for (origin,), rows in window.partition_by("origin", as_dict=True).items()}
    return target["origin"].replace_strict(rates, default=late_rate(window), return_dtype=pl.Float64).to_numpy()


def decide(challenger: Challenger, champion: Champion, base_rate: Score) -> tuple[Decision, str]:
    """Promote a challenger that beats the base rate and the champion by its Brier score; returns the reason too."""
    brier = challenger.scores.brier
    if champion.seen_until:
        return "keep", (
            f"version {champion.version} in service was trained on months up to {champion.seen_until}, so it has seen "
            f"the month and can't be compared; run a month after {champion.seen_until}"
        )
    if brier >= base_rate.brier:
        return "keep", f"challenger's Brier score {brier:.4f} does not beat the base rate's {base_rate.brier:.4f}"
    if champion.scores is None:
        return "promote", (
            f"challenger's Brier score {brier:.4f} beats the base rate's {base_rate.brier:.4f}, and there is no "
            "champion yet"
        )
    if challenger.fingerprint == champion.fingerprint:
        return "keep", f"this very model is in service already, as version {champion.version}: nothing changes"
    beats = brier < champion.scores.brier
    return "promote" if beats else "keep", (
        f"challenger's Brier score {brier:.4f} {'beats' if beats else 'does not beat'} the "
        f"{champion.scores.brier:.4f} of version {champion.version} in service"
    )


def fallback_notes(target: pl.DataFrame, best: dict[str, Trained]) -> tuple[str, ...]:
    """A sentence for each origin of the target month that has no model and so gets the window's late rate."""
    without = target.filter(~pl.col("origin").is_in(list(best)))
    counts = without.group_by("origin").len().sort("origin")
    return tuple(
        f"{origin} has no model (new, or too few training rows): its {count} flights get the window's late rate"
        for origin, count in counts.iter_rows()
    )


def track(client: MlflowClient, evaluation: Evaluation, trained: Sequence[Trained], settings: Settings) -> None:
    """Log scores, decision, leaderboard and plots in the MLflow run, and the summary as its description."""
    models = {"challenger": evaluation.challenger, "champion": evaluation.champion, "base_rate": evaluation.base_rate}
    metrics = {
        f"{model}_{name}": getattr(scores, name) for model, scores in models.items() if scores for name in METRICS
    }
    tracking.log(client, evaluation.run_id, metrics, tags={"decision": evaluation.decision})
    leaderboard = report.leaderboard(trained, evaluation)
    summary = f"{report.summary(evaluation)}\n\n{report.markdown(leaderboard)}"
    tracking.describe(evaluation.run_id, summary, settings)
    client.log_dict(evaluation.run_id, {"candidates": leaderboard}, report.LEADERBOARD)
    client.log_dict(evaluation.run_id, {"scores": report.scores(evaluation)}, report.SCORES)
    client.log_text(evaluation.run_id, plot.calibration(evaluation), plot.CALIBRATION)
    client.log_text(evaluation.run_id, plot.roc(evaluation), plot.ROC)


def explain(client: MlflowClient, evaluation: Evaluation, settings: Settings) -> None:
    """Log the flights of the target month as a dataset, and what each feature is worth to the challenger on them."""
    target = feature_table.target_rows(evaluation.features, settings)
    used = datasets.part(evaluation.features, target, "evaluation", settings)
    datasets.log(evaluation.run_id, [used], settings)
    challenger = routed(evaluation.best, evaluation.late_rate, settings)
    rows = importance(challenger, target, settings.seed)
    client.log_dict(evaluation.run_id, {"features": rows}, IMPORTANCE)
