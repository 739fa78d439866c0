"""Permutation importance: how much worse a model does when one feature's values change places among the flights."""

import polars as pl
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from threadpoolctl import threadpool_limits

from shared.lib.feature_table import FEATURE_COLUMNS
from shared.lib.model import RoutedModel
from shared.lib.report import Row

IMPORTANCE = "importance.json"
ROWS = 1000  # a sample of an airport's flights, shuffled once: more of it would slow down every run


def importance(model: RoutedModel, target: pl.DataFrame, seed: int) -> list[Row]:
    """By airport that has a model, how much its Brier score on the month rises without each feature, most first.

    Columns: origin, feature and importance, in units of the Brier score.
    Breiman, Machine Learning 45 (2001), as scikit-learn has it.
    """
    rows: list[Row] = []
    for origin in sorted(model.models or {}):
        flights = target.filter(origin=origin)
        sample = flights.sample(min(ROWS, flights.height), seed=seed)
        at_origin = of_airport(model, sample, seed) if sample.height else []
        rows += [{"origin": origin, **row} for row in at_origin]
    return rows


def of_airport(model: RoutedModel, flights: pl.DataFrame, seed: int) -> list[Row]:
    """The importance of each feature but the airport itself, which is the same for all these flights."""
    table, late = flights.select(FEATURE_COLUMNS).to_pandas(), flights["late"].to_numpy()
    with threadpool_limits(1):  # for so few rows more threads take longer
        found = permutation_importance(
            FrozenEstimator(model), table, late, scoring="neg_brier_score", n_repeats=1, random_state=seed
        )
    rows: list[Row] = [
        {"feature": feature, "importance": round(float(rise), 5)}
        for feature, rise in zip(FEATURE_COLUMNS, found.importances_mean, strict=True)
        if feature != "origin"
    ]
    return sorted(rows, key=lambda row: row["importance"], reverse=True)
