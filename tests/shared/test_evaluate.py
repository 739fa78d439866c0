"""Stage 6: the best candidate of each airport, honest scores, and the decision that follows from them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score
from skops.io.exceptions import UntrustedTypesFoundException

from shared.contracts import Evaluation, Features, PermanentError, Plan, Scores, Trained
from shared.lib import store, tracking
from shared.lib.model import fingerprint, routed
from shared.settings import Settings
from shared.stages.evaluate import (
    Challenger,
    Champion,
    best_by_origin,
    decide,
    evaluate,
    late_rate,
    no_skill,
    seen_until,
)

MONTH = "2013-05"


def with_briers(results: Any, *briers: float) -> list[Trained]:
    """The six trained candidates with these scores instead of their own."""
    return [trained.model_copy(update={"brier": brier}) for trained, brier in zip(results.trained, briers, strict=True)]


def test_each_airport_gets_its_best_candidate(planned: Plan, results: Any) -> None:
    best = best_by_origin(planned, with_briers(results, 0.2, 0.1, 0.1, 0.2, 0.3, 0.2))

    assert {origin: trained.candidate.family for origin, trained in best.items()} == {
        "EWR": "boosting20",
        "JFK": "logistic",
        "LGA": "boosting20",
    }


@given(st.randoms())
def test_of_equal_candidates_the_first_planned_wins_in_whatever_order_they_come(
    planned: Plan, results: Any, random: Any
) -> None:
    trained = with_briers(results, *[0.2] * 6)
    random.shuffle(trained)

    assert {trained.candidate.family for trained in best_by_origin(planned, trained).values()} == {"logistic"}


def test_survivor_stands_in_for_a_candidate_that_failed(planned: Plan, results: Any) -> None:
    best = best_by_origin(planned, with_briers(results, 0.1, 0.2, 0.1, 0.2, 0.1, 0.2)[1:])

    assert [trained.candidate.key for trained in best.values()] == ["EWR/boosting20", "JFK/logistic", "LGA/logistic"]


@pytest.mark.parametrize(("survivors", "names"), [(slice(2, 4), "EWR, LGA"), (slice(0), "EWR, JFK, LGA")])
def test_airports_without_a_model_fail_by_name(
    planned: Plan, results: Any, settings: Settings, survivors: slice, names: str
) -> None:
    trained = results.trained[survivors]

    with pytest.raises(PermanentError, match=f"no candidate survived for {names}: {len(trained)} of 6 candidates"):
        evaluate(planned, trained, settings)

    assert tracking.client(settings).get_run(planned.run_id).info.status == "FAILED"


def test_scores_are_those_of_the_routed_model_on_the_target_month(
    evaluated: Evaluation, settings: Settings, rows: pl.DataFrame
) -> None:
    target = rows.filter(month=MONTH)
    model = routed(evaluated.best, evaluated.late_rate, settings)
    late, predicted = target["late"].to_numpy(), model.predict_proba(target)[:, 1]

    assert evaluated.challenger.brier == brier_score_loss(late, predicted)
    assert evaluated.challenger.auc == roc_auc_score(late, predicted)
    assert evaluated.challenger.rows == target.height
    assert evaluated.challenger_fingerprint == fingerprint(predicted)
    for origin, scores in evaluated.challenger.by_origin.items():
        own = (target["origin"] == origin).to_numpy()
        assert (scores.rows, scores.brier) == (own.sum(), brier_score_loss(late[own], predicted[own]))


def test_base_rate_is_each_airports_late_rate_in_the_window(evaluated: Evaluation, rows: pl.DataFrame) -> None:
    window, target = rows.filter(pl.col("month") != MONTH), rows.filter(month=MONTH)
    rates = dict(window.group_by("origin").agg(pl.col("late").mean()).iter_rows())

    expected = np.mean([(rates[origin] - late) ** 2 for origin, late in target.select("origin", "late").iter_rows()])
    assert evaluated.base_rate.brier == pytest.approx(expected)


def test_first_model_that_beats_the_base_rate_is_promoted(evaluated: Evaluation) -> None:
    assert evaluated.challenger.brier < evaluated.base_rate.brier
    assert (evaluated.decision, evaluated.champion, evaluated.champion_version) == ("promote", None, None)
    assert "no champion yet" in evaluated.reason
    assert evaluated.notes == ()


def test_order_of_the_candidates_does_not_matter(
    planned: Plan, results: Any, settings: Settings, evaluated: Evaluation
) -> None:
    assert evaluate(planned, results.trained[::-1], settings) == evaluated


def test_scores_and_decision_are_tracked(evaluated: Evaluation, settings: Settings) -> None:
    run = tracking.client(settings).get_run(evaluated.run_id)

    assert run.info.status == "FINISHED"
    assert run.data.tags["decision"] == "promote"
    assert run.data.metrics["challenger_brier"] == evaluated.challenger.brier
    assert run.data.metrics["base_rate_brier"] == evaluated.base_rate.brier
    assert "champion_brier" not in run.data.metrics


def test_mlflow_run_shows_decision_scores_leaderboard_and_plots(evaluated: Evaluation, settings: Settings) -> None:
    client = tracking.client(settings)

    note = client.get_run(evaluated.run_id).data.tags["mlflow.note.content"]
    plots = ("calibration.svg", "roc.svg")
    calibration, roc = (Path(client.download_artifacts(evaluated.run_id, plot)).read_text() for plot in plots)

    chosen = evaluated.best["EWR"]
    assert f"**{MONTH}: promote**, {evaluated.reason}." in note
    assert f"| challenger | all | {evaluated.challenger.rows} | {evaluated.challenger.brier:.4f} |" in note
    assert f"| EWR | {chosen.candidate.family} | {chosen.brier:.4f} | {chosen.auc:.4f} | ✓ |" in note
    assert f"challenger, Brier score {evaluated.challenger.brier:.4f}" in calibration
    assert f"challenger, AUC {evaluated.challenger.auc:.4f}" in roc
    assert calibration.count("<circle") == len(evaluated.challenger.calibration_curve)
    assert roc.count("<circle") == len(evaluated.challenger.roc_curve) == 51


def test_mlflow_run_keeps_the_scores_by_airport(evaluated: Evaluation, settings: Settings) -> None:
    kept = tracking.read_json(evaluated.run_id, "scores.json", settings)["scores"]

    found = {(row["model"], row["origin"]): (row["flights"], row["Brier score"]) for row in kept}
    expected = {
        (model, origin): (score.rows, round(score.brier, 4))
        for model, scores in {"challenger": evaluated.challenger, "base rate": evaluated.base_rate}.items()
        for origin, score in {"all": scores, **scores.by_origin}.items()
    }
    assert found == expected
    assert len(found) == 8


def test_new_airport_is_scored_by_the_fallback_and_noted(
    planned: Plan,
    results: Any,
    settings: Settings,
    rows: pl.DataFrame,
    altered: Callable[[Features, pl.DataFrame], Features],
) -> None:
    opened = rows.with_columns(
        origin=pl.when((pl.col("month") == MONTH) & (pl.col("origin") == "LGA")).then(pl.lit("SWF")).otherwise("origin")
    )
    flights = opened.filter(origin="SWF").height
    planned = planned.model_copy(update={"features": altered(planned.features, opened)})

    evaluation = evaluate(planned, results.trained, settings)

    rate = late_rate(rows.filter(pl.col("month") != MONTH))
    assert evaluation.challenger.by_origin["SWF"] == evaluation.base_rate.by_origin["SWF"]
    assert evaluation.challenger.by_origin["SWF"].rows == flights
    assert evaluation.late_rate == rate
    assert evaluation.notes == (
        f"SWF has no model (new, or too few training rows): its {flights} flights get the window's late rate",
    )


def test_month_in_which_no_flight_arrived_is_a_clear_error(
    planned: Plan,
    results: Any,
    settings: Settings,
    rows: pl.DataFrame,
    altered: Callable[[Features, pl.DataFrame], Features],
) -> None:
    planned = planned.model_copy(update={"features": altered(planned.features, rows.filter(pl.col("month") != MONTH))})

    with pytest.raises(PermanentError, match=f"{MONTH}.*arr_delay"):
        evaluate(planned, results.trained, settings)


def test_candidate_with_a_foreign_type_is_refused(planned: Plan, results: Any, settings: Settings) -> None:
    file = store.add(settings, "models/foreign.skops", skops.io.dumps(Foreign()))
    foreign = results.trained[0].model_copy(update={"model": file, "brier": 0.0})

    with pytest.raises(UntrustedTypesFoundException, match="Foreign"):
        evaluate(planned, [foreign, *results.trained[2:]], settings)


class Foreign:
    """A type that nobody trusts."""


def brier(value: float) -> Scores:
    return Scores(rows=100, brier=value, auc=None, calibration_error=0.0, by_origin={}, calibration_curve=())


@pytest.mark.parametrize(
    ("challenger", "champion", "same", "decision", "words"),
    [
        (0.15, None, False, "promote", "no champion yet"),
        (0.20, None, False, "keep", "does not beat the base rate's 0.2000"),
        (0.25, None, False, "keep", "does not beat the base rate's 0.2000"),
        (0.15, 0.16, False, "promote", "beats the 0.1600 of version 7"),
        (0.15, 0.15, False, "keep", "does not beat the 0.1500 of version 7"),
        (0.15, 0.14, False, "keep", "does not beat the 0.1400 of version 7"),
        (0.15, 0.15, True, "keep", "in service already, as version 7: nothing changes"),
        (0.25, 0.30, False, "keep", "does not beat the base rate's 0.2000"),
        (0.19, 0.30, False, "promote", "beats the 0.3000 of version 7"),
    ],
)
def test_decision(challenger: float, champion: float | None, same: bool, decision: str, words: str) -> None:
    in_service = Champion() if champion is None else Champion("7", "same" if same else "other", brier(champion))

    decided, reason = decide(Challenger("same", brier(challenger)), in_service, brier(0.20))

    assert decided == decision
    assert f"{challenger:.4f}" in reason or same
    assert words in reason


def test_champion_that_has_seen_the_month_is_kept_without_a_comparison() -> None:
    decision, reason = decide(Challenger("a", brier(0.15)), Champion("7", "b", seen_until="2013-06"), brier(0.20))

    assert decision == "keep"
    assert "version 7 in service was trained on months up to 2013-06" in reason
    assert reason.endswith("run a month after 2013-06")


@pytest.mark.parametrize(
    ("champion_month", "month", "seen"),
    [
        ("2013-07", "2013-06", "2013-06"),
        ("2013-12", "2013-06", "2013-11"),
        ("2013-06", "2013-06", None),
        ("2013-05", "2013-06", None),
        ("2014-01", "2013-12", "2013-12"),
    ],
)
def test_champion_has_seen_the_months_before_its_own(champion_month: str, month: str, seen: str | None) -> None:
    assert seen_until(champion_month, month) == seen


def test_base_rate_of_a_new_airport_is_the_whole_windows() -> None:
    window = pl.DataFrame({"origin": ["EWR", "EWR", "JFK", "JFK"], "late": [True, True, True, False]})
    target = pl.DataFrame({"origin": ["JFK", "SWF", "EWR"]})

    assert no_skill(window, target).tolist() == [0.5, 0.75, 1.0]
