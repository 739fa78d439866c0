"""The model families: unfitted classifiers by name, or a user's own as `module:function`."""

import importlib
from typing import Any

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from shared.contracts import PermanentError
from shared.lib.feature_table import CATEGORICAL, NUMERIC


def logistic(seed: int) -> Pipeline:
    """Logistic regression on standardized numbers and one-hot categories; missing numbers are the mean."""
    numeric = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer((numeric, list(NUMERIC)), (one_hot, list(CATEGORICAL)))
    return make_pipeline(columns, LogisticRegression(max_iter=300, random_state=seed))


def boosting(seed: int, iterations: int) -> Pipeline:
    """Gradient boosting; with fewer trees each one counts for more."""
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
    """A new classifier of the family: a name in FAMILIES, or a user's own `module:function` that takes the seed."""
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
