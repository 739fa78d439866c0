"""The model families: each copes with unknown values, the seed fixes the fit, and a user may name his own."""

import numpy as np
import polars as pl
import pytest

from shared.contracts import PermanentError
from shared.lib.families import FAMILIES, unfitted


@pytest.mark.parametrize("family", FAMILIES)
def test_family_accepts_unknown_categories_and_missing_numbers(rows: pl.DataFrame, family: str) -> None:
    own = rows.filter(origin="LGA")
    model = unfitted(family, 0).fit(own, own["late"].to_numpy())

    odd = own.head(3).with_columns(pl.lit("??").alias("dest"), pl.lit(float("nan")).alias("temp"))
    assert np.isfinite(model.predict_proba(odd)).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_seed_fixes_the_fit(rows: pl.DataFrame, family: str) -> None:
    own = rows.filter(origin="LGA")
    one, other = (unfitted(family, 7).fit(own, own["late"].to_numpy()).predict_proba(own) for _ in range(2))

    assert np.array_equal(one, other)


@pytest.mark.parametrize("family", ["nonsense", "", "no_such_module:make", "json:no_such_function", "json", ":make"])
def test_unknown_family_is_an_error_that_tells_what_is_known(family: str) -> None:
    with pytest.raises(PermanentError) as error:
        unfitted(family, 0)

    for word in (repr(family), "unknown", *FAMILIES, "module:function"):
        assert word in str(error.value)


@pytest.mark.usefixtures("own_families")
def test_family_of_ones_own_is_named_by_module_and_function() -> None:
    assert type(unfitted("families:constant", 3)).__name__ == "DummyClassifier"
    assert unfitted("families:constant", 3).random_state == 3
