"""The routed model: one fitted pipeline for each origin airport, and the fingerprint of what a model predicts."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import skops.io
from sklearn.base import BaseEstimator, ClassifierMixin

from shared.contracts import Trained
from shared.lib import store
from shared.settings import Settings

# The only types, beside scikit-learn's and skops' own list, that a stored model may contain (docs/adr/0003-skops.md).
TRUSTED_TYPES = [
    "numpy.dtype",
    "shared.lib.model.RoutedModel",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
]


def fingerprint(predicted: np.ndarray) -> str:
    """sha256 over float64 predictions in row order: models that predict the same have the same one."""
    return hashlib.sha256(np.ascontiguousarray(predicted, dtype="<f8").tobytes()).hexdigest()


class RoutedModel(ClassifierMixin, BaseEstimator):
    """Sends each flight to its origin airport's model; an origin without one gets the training window's late rate.

    Parameters: `models`, fitted classifiers by origin; `late_rate`, the fallback probability.
    """

    def __init__(self, models: dict[str, Any] | None = None, late_rate: float = 0.5) -> None:
        self.models = models
        self.late_rate = late_rate
        self.classes_ = np.array([False, True])

    def predict_proba(self, X: pl.DataFrame | pd.DataFrame) -> np.ndarray:
        """Probabilities of (on time, late), shape (rows, 2); X has the columns `origin`, NUMERIC and CATEGORICAL."""
        table = X if isinstance(X, pl.DataFrame) else pl.from_pandas(X)
        origins = table["origin"].to_numpy()
        late = np.full(table.height, self.late_rate)
        for origin, model in (self.models or {}).items():
            rows = origins == origin
            if rows.any():
                late[rows] = model.predict_proba(table.filter(rows))[:, 1]
        return np.column_stack([1 - late, late])

    def predict(self, X: pl.DataFrame | pd.DataFrame) -> np.ndarray:
        """True where a late arrival is more likely than not."""
        late: np.ndarray = self.predict_proba(X)[:, 1] > 0.5
        return late


def routed(best: dict[str, Trained], late_rate: float, settings: Settings) -> RoutedModel:
    """The model that sends each flight to its origin's best candidate."""
    models = {
        origin: skops.io.load(store.local(trained.model, settings), trusted=TRUSTED_TYPES)
        for origin, trained in best.items()
    }
    return RoutedModel(models=models, late_rate=late_rate)
