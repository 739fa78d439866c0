"""The model families, and the routed model that holds one fitted pipeline for each origin airport."""

import hashlib
import importlib
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from shared.contracts import PermanentError
from shared.stages.features import CATEGORICAL, NUMERIC

# The only types, beside scikit-learn's and skops' own list, that a stored model may contain (docs/adr/0003-skops.md).
TRUSTED_TYPES = [
    "numpy.dtype",
    "shared.lib.model.RoutedModel",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
]


def logistic(seed: int) -> Pipeline:
    numeric = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer((numeric, list(NUMERIC)), (one_hot, list(CATEGORICAL)))
    return make_pipeline(columns, LogisticRegression(max_iter=300, random_state=seed))


def boosting(seed: int, iterations: int) -> Pipeline:
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = make_column_transformer((ordinal, list(CATEGORICAL)), ("passthrough", list(NUMERIC)))
    trees = HistGradientBoostingClassifier(
        max_iter=iterations,
        learning_rate=4 / iterations,
        max_leaf_nodes=8,
        early_stopping=False,
        random_state=seed,
    )
    return make_pipeline(columns, trees)


def boosting20(seed: int) -> Pipeline:
    return boosting(seed, 20)


def boosting60(seed: int) -> Pipeline:
    return boosting(seed, 60)


FAMILIES = {"logistic": logistic, "boosting20": boosting20, "boosting60": boosting60}


def unfitted(family: str, seed: int) -> Any:
    """A new classifier of the family: a name in FAMILIES, or `module:function` of one's own that takes the seed."""
    if family in FAMILIES:
        return FAMILIES[family](seed)
    module, _, function = family.partition(":")
    try:
        make = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError):
        known = ", ".join(FAMILIES)
        raise PermanentError(
            f"model family {family!r} is unknown; expected one of {known}, or module:function"
        ) from None
    return make(seed)


def fingerprint(predicted: np.ndarray) -> str:
    """sha256 over float64 predictions in row order: models that predict alike bear the same one."""
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
