"""How well predicted probabilities fit what happened: Brier score, AUC and calibration."""

import numpy as np
import polars as pl
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve

from shared.contracts import Score, Scores

BINS = 10
ROC_STEPS = 50


def score(late: np.ndarray, predicted: np.ndarray) -> Score:
    """The scores of `predicted`, probabilities of `late`; the AUC is null if all flights are late, or none."""
    return Score(
        rows=len(late),
        brier=float(brier_score_loss(late, predicted, pos_label=True)),
        auc=float(roc_auc_score(late, predicted)) if 0 < late.sum() < len(late) else None,
        calibration_error=calibration_error(late, predicted),
    )


def score_by_origin(rows: pl.DataFrame, predicted: np.ndarray) -> Scores:
    """The scores over all rows and by origin airport, with the calibration and ROC curves."""
    late, origins = rows["late"].to_numpy(), rows["origin"].to_numpy()
    by_origin = {
        str(origin): score(late[origins == origin], predicted[origins == origin]) for origin in np.unique(origins)
    }
    observed, mean = calibration_curve(late, predicted, n_bins=BINS)
    curve = tuple((float(p), float(o)) for p, o in zip(mean, observed, strict=True))
    return Scores(
        **score(late, predicted).model_dump(),
        by_origin=by_origin,
        calibration_curve=curve,
        roc_curve=rates(late, predicted),
    )


def rates(late: np.ndarray, predicted: np.ndarray) -> tuple[tuple[float, float], ...]:
    """The ROC curve: the true positive rate at equal steps of the false one; empty if all flights are late, or none."""
    if not 0 < late.sum() < len(late):
        return ()
    false, true, _ = roc_curve(late, predicted)
    steps = np.linspace(0, 1, ROC_STEPS + 1)
    return tuple(zip(steps.tolist(), np.interp(steps, false, true).tolist(), strict=True))


def calibration_error(late: np.ndarray, predicted: np.ndarray) -> float:
    """Expected calibration error in ten bins of equal width: Naeini, Cooper and Hauskrecht, AAAI 2015."""
    bins = np.minimum((predicted * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=predicted, minlength=BINS) - np.bincount(bins, weights=late, minlength=BINS)
    return float(np.abs(gaps).sum() / len(late))
