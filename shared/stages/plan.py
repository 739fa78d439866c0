"""Stage 4, `plan`: decides at run time, from data and settings, which candidates to train."""

import logging

import polars as pl

from shared.contracts import Candidate, Features, PermanentError, Plan
from shared.lib import datasets, feature_table, tracking
from shared.lib.months import holdout_start
from shared.lib.stage import stage
from shared.settings import Settings

log = logging.getLogger(__name__)


@stage
@tracking.outage_is_transient()
def plan(features: Features, orchestrator_run: str, settings: Settings, orchestrator_url: str | None = None) -> Plan:
    """One candidate for each origin airport with at least `min_rows` training rows and each model family.

    Opens the MLflow run of `orchestrator_run`, the orchestrator's own id of this run, which links to its page and has
    the source files as its datasets.
    Raises PermanentError if there is no candidate, or no late flight to learn from.
    """
    window = feature_table.window_rows(features, settings)
    origins = trainable_origins(window, features, settings.min_rows)
    candidates = tuple(Candidate(origin=origin, family=family) for origin in origins for family in settings.families)
    if not candidates:
        largest = max(window["origin"].value_counts()["count"], default=0)
        raise PermanentError(
            f"no candidate to train for {features.month}: {len(settings.families)} model families, but no origin "
            f"airport with {settings.min_rows} training rows (the most is {largest}); lower min_rows or name families"
        )
    run_id = tracking.start_parent(features, orchestrator_run, orchestrator_url, settings)
    datasets.log(run_id, datasets.source_files(features, settings), settings)
    log.info("%s: %d candidates: %s", features.month, len(candidates), ", ".join(c.key for c in candidates))
    return Plan(features=features, candidates=candidates, experiment=settings.experiment, run_id=run_id)


def trainable_origins(window: pl.DataFrame, features: Features, min_rows: int) -> list[str]:
    """Origins with enough rows in the window, both before its last 14 days and in them; sorted by name."""
    fit = pl.col("date") < holdout_start(features.month)
    counts = window.group_by("origin").agg(
        rows=pl.len(), fit=fit.sum(), late=(fit & pl.col("late")).sum(), holdout=(~fit).sum()
    )
    chosen = counts.filter(pl.col("rows") >= min_rows, pl.col("fit") > 0, pl.col("holdout") > 0).sort("origin")
    for origin, fitted, late in chosen.select("origin", "fit", "late").iter_rows():
        if late in (0, fitted):
            found = "no late flight" if late == 0 else "only late flights"
            raise PermanentError(
                f"{found} among {fitted} from {origin} in {features.window[0]} to {features.window[-1]}, expected both "
                "late and punctual ones to learn from; check arr_delay in the source"
            )
    return chosen["origin"].to_list()
