"""What each feature is worth to a model, by airport."""

from datetime import date

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, ClassifierMixin

from shared.contracts import Evaluation
from shared.lib import feature_table, importance, tracking
from shared.lib.feature_table import CATEGORICAL, FEATURE_COLUMNS, NUMERIC
from shared.lib.model import RoutedModel, routed
from shared.settings import Settings


class FarIsLate(ClassifierMixin, BaseEstimator):
    """Knows the truth of `flights` by their distance; like a user's own model, it takes polars frames only."""

    classes_ = np.array([False, True])

    def predict_proba(self, X: pl.DataFrame) -> np.ndarray:
        late = X.select(pl.col("distance") > 500).to_series().to_numpy().astype(float)
        return np.column_stack([1 - late, late])


def flights(origin: str, count: int) -> pl.DataFrame:
    far = [n % 2 == 0 for n in range(count)]
    values = {name: ["x"] * count for name in CATEGORICAL} | {name: [0.0] * count for name in NUMERIC}
    values |= {"origin": [origin] * count, "distance": [1000.0 if each else 100.0 for each in far], "late": far}
    return pl.DataFrame({"month": ["2013-06"] * count, "date": [date(2013, 6, 1)] * count, **values})


def test_only_the_feature_that_the_model_uses_is_important() -> None:
    model = RoutedModel({"EWR": FarIsLate(), "JFK": FarIsLate()}, late_rate=0.5)

    rows = importance.importance(model, pl.concat([flights("EWR", 2000), flights("LGA", 10)]), seed=0)

    assert {row["origin"] for row in rows} == {"EWR"}, "JFK has no flight in the month, LGA no model"
    assert (len(rows), rows[0]["feature"]) == (len(FEATURE_COLUMNS) - 1, "distance")
    assert 0.4 < float(rows[0]["importance"]) < 0.6, "shuffled, half of the flights are wrong"
    assert {row["importance"] for row in rows[1:]} == {0}


def test_month_with_no_late_flight_has_importances_too() -> None:
    punctual = flights("EWR", 50).filter(pl.col("late").not_())

    rows = importance.importance(RoutedModel({"EWR": FarIsLate()}), punctual, seed=0)

    assert {row["importance"] for row in rows} == {0}


def test_mlflow_run_keeps_the_importances_by_airport_and_they_are_the_same_again(
    evaluated: Evaluation, settings: Settings
) -> None:
    kept = tracking.read_json(evaluated.run_id, importance.IMPORTANCE, settings)["features"]

    target = feature_table.target_rows(evaluated.features, settings)
    model = routed(evaluated.best, evaluated.late_rate, settings)
    assert kept == importance.importance(model, target, settings.seed)
    assert len(kept) == len(evaluated.best) * (len(FEATURE_COLUMNS) - 1)
    assert kept != importance.importance(model, target, settings.seed + 1)
