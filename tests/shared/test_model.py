"""The routed model: right airport, right fallback, no foreign code in a stored model; the fingerprint."""

import functools
import hashlib
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from skops.io.exceptions import UntrustedTypesFoundException

from shared.lib.families import FAMILIES, unfitted
from shared.lib.model import TRUSTED_TYPES, RoutedModel, fingerprint
from shared.stages.features import FEATURE_COLUMNS


@pytest.fixture(scope="module")
def model(rows: pl.DataFrame) -> RoutedModel:
    """Models of two airports, of different families."""
    fitted = {}
    for origin, family in (("EWR", "logistic"), ("JFK", "boosting20")):
        own = rows.filter(origin=origin)
        fitted[origin] = unfitted(family, 0).fit(own, own["late"].to_numpy())
    return RoutedModel(models=fitted, late_rate=0.25)


def test_each_flight_goes_to_its_airports_model(model: RoutedModel, rows: pl.DataFrame) -> None:
    late = model.predict_proba(rows)[:, 1]

    for origin in ("EWR", "JFK"):
        own = model.models[origin].predict_proba(rows.filter(origin=origin))[:, 1]
        assert np.array_equal(late[(rows["origin"] == origin).to_numpy()], own)


def test_airport_without_a_model_gets_the_late_rate(model: RoutedModel, rows: pl.DataFrame) -> None:
    assert set(model.predict_proba(rows.filter(origin="LGA"))[:, 1]) == {0.25}


def test_probabilities_add_up_to_one(model: RoutedModel, rows: pl.DataFrame) -> None:
    both = model.predict_proba(rows)

    assert both.shape == (rows.height, 2)
    assert np.allclose(both.sum(axis=1), 1)


def test_predicts_late_when_that_is_more_likely(model: RoutedModel, rows: pl.DataFrame) -> None:
    assert np.array_equal(model.predict(rows), model.predict_proba(rows)[:, 1] > 0.5)
    assert set(model.predict(rows)) == {True, False}


def test_pandas_and_polars_give_the_same_bits(model: RoutedModel, rows: pl.DataFrame) -> None:
    table = rows.select(FEATURE_COLUMNS)

    assert np.array_equal(model.predict_proba(table.to_pandas()), model.predict_proba(table))


def test_row_order_does_not_matter(model: RoutedModel, rows: pl.DataFrame) -> None:
    assert np.allclose(model.predict_proba(rows.reverse())[::-1], model.predict_proba(rows), rtol=0, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_stored_model_comes_back_with_the_same_bits(rows: pl.DataFrame, family: str) -> None:
    own = rows.filter(origin="LGA")
    model = RoutedModel(models={"LGA": unfitted(family, 0).fit(own, own["late"].to_numpy())}, late_rate=0.2)

    back = skops.io.loads(skops.io.dumps(model), trusted=TRUSTED_TYPES)

    assert np.array_equal(back.predict_proba(rows), model.predict_proba(rows))


def test_stored_model_with_a_foreign_type_is_refused() -> None:
    stored = skops.io.dumps(RoutedModel(models={"EWR": Foreign()}, late_rate=0.5))

    with pytest.raises(UntrustedTypesFoundException, match="Foreign"):
        skops.io.loads(stored, trusted=TRUSTED_TYPES)


def test_no_type_is_trusted_that_the_families_do_not_need(model: RoutedModel) -> None:
    assert sorted(skops.io.get_untrusted_types(data=skops.io.dumps(model))) == sorted(TRUSTED_TYPES)


class Foreign:
    """A type that nobody trusts."""


@pytest.mark.parametrize("harmful", [functools.partial(print, "x"), print, Foreign])
def test_stored_function_that_is_not_on_the_list_is_refused(harmful: Callable[..., Any]) -> None:
    stored = skops.io.dumps(RoutedModel(models={"EWR": harmful}, late_rate=0.5))

    with pytest.raises(UntrustedTypesFoundException):
        skops.io.loads(stored, trusted=TRUSTED_TYPES)


floats = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(floats)
def test_fingerprint_is_the_sha256_of_the_little_endian_doubles(predicted: list[float]) -> None:
    expected = hashlib.sha256(struct.pack(f"<{len(predicted)}d", *predicted)).hexdigest()

    assert fingerprint(np.array(predicted)) == expected


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30, unique=True))
def test_fingerprint_depends_on_the_rows_order(predicted: list[float]) -> None:
    assert fingerprint(np.array(predicted)) != fingerprint(np.array(predicted[::-1]))


def test_fingerprint_tells_the_smallest_difference() -> None:
    assert fingerprint(np.array([0.1])) != fingerprint(np.nextafter([0.1], 1))


def test_fingerprint_does_not_depend_on_how_the_array_lies_in_memory() -> None:
    table = np.random.default_rng(0).random((50, 2))

    assert fingerprint(table[:, 1]) == fingerprint(table[:, 1].copy())
