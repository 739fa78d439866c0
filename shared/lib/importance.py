"""Permutation importance: how much worse a model does when one feature's values change places among the flights."""

import polars as pl

from shared.lib.feature_table import FEATURE_COLUMNS
from shared.lib.model import RoutedModel
from shared.lib.report import Row

IMPORTANCE = "importance.json"
ROWS = 1000  # a sample of an airport's flights, shuffled once: more of it would slow down every run


def importance(model: RoutedModel, target: pl.DataFrame, seed: int) -> list[Row]:
    """By airport that has a model, how much its Brier score on the month rises without each feature, most first.

    Columns: origin, feature and importance, in units of the Brier score.
    Breiman, Machine Learning 45 (2001). scikit-learn's permutation_importance does the same with one prediction for
    each feature, which takes several times as long.
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
    features = [name for name in FEATURE_COLUMNS if name != "origin"]
    shuffled = [flights.with_columns(pl.col(name).shuffle(seed)) for name in features]
    # One prediction for all of them, as each has a cost of its own beside that of its rows.
    late = model.predict_proba(pl.concat([flights, *shuffled]))[:, 1].reshape(-1, flights.height)
    unshuffled, *without = ((late - flights["late"].to_numpy()) ** 2).mean(axis=1)
    rows: list[Row] = [
        {"feature": feature, "importance": round(float(brier - unshuffled), 5)}
        for feature, brier in zip(features, without, strict=True)
    ]
    return sorted(rows, key=lambda row: row["importance"], reverse=True)
