"""The model card says what a version is, in few enough characters for any database of MLflow's."""

from pathlib import Path
from typing import Any

from shared.contracts import Evaluation
from shared.lib import report, tracking
from shared.lib.code_version import code_version
from shared.lib.importance import IMPORTANCE
from shared.lib.model_card import model_card
from shared.settings import Settings


def test_version_bears_a_model_card_that_is_an_artifact_too(in_service: Any, results: Any) -> None:
    settings, evaluation, _ = in_service
    store = tracking.client(settings)

    card = store.get_model_version(settings.model_name, "1").description

    assert card == Path(store.download_artifacts(evaluation.run_id, "model_card.md")).read_text()
    assert len(card) <= 5000, "longer than what MLflow keeps on a server's database"
    promoter = tracking.link_to_orchestrator(tracking.orchestrator_tags(evaluation.run_id, settings))
    for name, sha256 in evaluation.features.inputs.items():
        assert f"| {name} | `{sha256}` |" in card
    assert f"Promoted by plain's pipeline, by this rule and no person. {promoter}" in card
    assert f"[MLflow's run]({tracking.run_url(evaluation.run_id, settings)}); code `{code_version()}`" in card
    assert f"[calibration.svg]({tracking.artifact_url(evaluation.run_id, 'calibration.svg', settings)})" in card
    importances = tracking.read_json(evaluation.run_id, IMPORTANCE, settings)["features"]
    for origin in evaluation.best:
        first = next(row for row in importances if row["origin"] == origin)
        assert f"- {origin}: {first['feature']} {first['importance']:.4f}, " in card
    for trained in results.trained:
        chosen = "✓" if trained == evaluation.best[trained.candidate.origin] else ""
        row = f"| {trained.candidate.origin} | {trained.candidate.family} | {trained.brier:.4f} | {trained.auc:.4f} |"
        assert f"{row} {chosen} |" in card
    assert evaluation.features.warnings
    for said in (*evaluation.features.warnings, *evaluation.features.notes, "The scores are of one month"):
        assert f"- {said}" in card


def test_model_card_of_a_thousand_candidates_shows_the_first_and_counts_the_others(
    evaluated: Evaluation, settings: Settings
) -> None:
    many = [{"origin": "EWR", "family": f"family{number}", "Brier score": 0.2} for number in range(1000)]
    tracking.client(settings).log_dict(evaluated.run_id, {"candidates": many}, report.LEADERBOARD)

    card = model_card(evaluated, settings)

    assert "| EWR | family29 |" in card
    assert "| EWR | family30 |" not in card
    assert "970 more are in the run's `leaderboard.json`." in card
    assert len(card) <= 5000
