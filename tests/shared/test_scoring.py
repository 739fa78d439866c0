"""The scores of predictions: known examples, one class only, and parts that add up to the whole."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.lib.scoring import calibration_error, score_by_origin


@pytest.mark.parametrize(
    ("late", "predicted", "error"),
    [
        ([0, 1], [0.0, 1.0], 0.0),
        ([0, 1], [1.0, 0.0], 1.0),
        ([0, 1], [0.05, 0.95], 0.05),
        ([0, 1], [0.5, 0.5], 0.0),
        ([0, 1], [1.0, 0.9], 0.45),
        ([1, 1, 0, 0], [0.25, 0.25, 0.25, 0.25], 0.25),
        ([1, 0, 0, 0], [0.92, 0.15, 0.15, 0.15], 0.25 * 0.08 + 0.75 * 0.15),
    ],
)
def test_calibration_error_of_known_examples(late: list[int], predicted: list[float], error: float) -> None:
    assert calibration_error(np.array(late, dtype=bool), np.array(predicted)) == pytest.approx(error)


outcomes = st.lists(
    st.tuples(st.sampled_from(["EWR", "JFK", "LGA"]), st.booleans(), st.floats(0, 1)), min_size=1, max_size=40
)


@given(outcomes)
def test_brier_scores_by_origin_add_up(flights: list[tuple[str, bool, float]]) -> None:
    target = pl.DataFrame({"origin": [f[0] for f in flights], "late": [f[1] for f in flights]})

    scores = score_by_origin(target, np.array([f[2] for f in flights]))

    parts = scores.by_origin.values()
    assert sum(part.rows for part in parts) == scores.rows == len(flights)
    assert sum(part.rows * part.brier for part in parts) == pytest.approx(scores.rows * scores.brier)
    assert all(0 <= part.brier <= 1 and 0 <= part.calibration_error <= 1 for part in (scores, *parts))


@pytest.mark.parametrize("late", [True, False])
def test_auc_is_null_for_one_class(late: bool) -> None:
    target = pl.DataFrame({"origin": ["EWR", "EWR", "JFK"], "late": [late] * 3})

    scores = score_by_origin(target, np.array([0.2, 0.3, 0.4]))

    assert scores.auc is None
    assert {part.auc for part in scores.by_origin.values()} == {None}


@given(outcomes)
def test_area_under_the_roc_curve_is_the_auc(flights: list[tuple[str, bool, float]]) -> None:
    target = pl.DataFrame({"origin": [f[0] for f in flights], "late": [f[1] for f in flights]})

    scores = score_by_origin(target, np.array([f[2] for f in flights]))

    if scores.auc is None:
        assert scores.roc_curve == ()
    else:
        false, true = np.array(scores.roc_curve).T
        assert np.trapezoid(true, false) == pytest.approx(scores.auc, abs=0.02)  # half a step


def test_calibration_curve_pairs_predicted_with_observed() -> None:
    target = pl.DataFrame({"origin": ["EWR"] * 4, "late": [False, False, True, True]})

    assert score_by_origin(target, np.array([0.05, 0.05, 0.95, 0.85])).calibration_curve == (
        (0.05, 0.0),
        (0.85, 1.0),
        (0.95, 1.0),
    )
