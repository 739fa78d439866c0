"""The model card: what a version is, what it was made from, how well it does, and what it can not do."""

from collections.abc import Iterable, Sequence

from shared.contracts import Evaluation
from shared.lib import plot, report, tracking
from shared.lib.importance import IMPORTANCE
from shared.lib.report import Row, markdown
from shared.settings import Settings

SHOWN_CANDIDATES, SHOWN_FEATURES = 30, 3
PURPOSE = (
    "Tells before departure how likely a flight is to land more than 15 minutes late: one scikit-learn pipeline for "
    "each origin airport."
)
LIMITS = (
    "It knows no flight that was cancelled or diverted, and nothing that is known only after departure.",
    "It was fitted on the training window less its last 14 days, and has seen no other season.",
    "The scores are of one month; the base rate beside them predicts each airport's share of late flights.",
)
SHUFFLED = f"The Brier score rises by so much if a feature's values are shuffled; `{IMPORTANCE}` has all."


def model_card(evaluation: Evaluation, settings: Settings) -> str:
    """The challenger's card in Markdown, from the evaluation and what its MLflow run has kept."""
    run_id, table = evaluation.run_id, evaluation.features
    candidates, importances = (
        tracking.read_json(run_id, name, settings)[what]
        for name, what in ((report.LEADERBOARD, "candidates"), (IMPORTANCE, "features"))
    )
    drawn = f"Drawn in [{plot.CALIBRATION}]({tracking.artifact_url(run_id, plot.CALIBRATION, settings)})."
    sections = {
        "Purpose": [PURPOSE],
        "Decision": [
            f"**{evaluation.month}: {evaluation.decision}**, {evaluation.reason}.",
            promoted_by(run_id, settings),
        ],
        "Scores": [markdown(report.scores(evaluation))],
        "Calibration": [markdown(calibration(evaluation)), drawn],
        "Features": [SHUFFLED, bullets(most_important(importances))],
        "Candidates": first_candidates(candidates),
        "Training": [f"Trained on {', '.join(table.window)}. Evaluated on {table.month}."],
        "Source": [markdown([{"file": name, "sha256": f"`{sha256}`"} for name, sha256 in table.inputs.items()])],
        "Warnings": [bullets(table.warnings or ["No drift was found."])],
        "Limits": [bullets(limits(evaluation))],
    }
    return "\n\n".join(f"### {title}\n\n" + "\n\n".join(parts) for title, parts in sections.items())


def promoted_by(run_id: str, settings: Settings) -> str:
    """Who or what has decided: the pipeline's rule, in a run of the tool and of this code; with links to the runs."""
    code = tracking.client(settings).get_run(run_id).data.tags[tracking.CODE_VERSION]
    link = tracking.link_to_orchestrator(tracking.orchestrator_tags(run_id, settings))
    mlflow = f"[MLflow's run]({tracking.run_url(run_id, settings)})"
    return f"Promoted by {settings.tool}'s pipeline, by this rule and no person. {link} {mlflow}; code `{code}`."


def first_candidates(candidates: Sequence[Row]) -> list[str]:
    """The leaderboard as a table; of a very long one the first rows, and how many more there are."""
    left_out = len(candidates) - SHOWN_CANDIDATES
    more = [f"{left_out} more are in the run's `{report.LEADERBOARD}`."] if left_out > 0 else []
    return [markdown(candidates[:SHOWN_CANDIDATES]), *more]


def most_important(importances: Sequence[Row]) -> list[str]:
    """Each airport's most important features, with the rise of the Brier score without each of them."""
    by_origin: dict[str, list[str]] = {}
    for row in importances:
        by_origin.setdefault(str(row["origin"]), []).append(f"{row['feature']} {row['importance']:.4f}")
    return [f"{origin}: {', '.join(features[:SHOWN_FEATURES])}" for origin, features in by_origin.items()]


def calibration(evaluation: Evaluation) -> list[Row]:
    """The challenger's calibration curve: what it predicted, and what share of these flights was late."""
    return [
        {"predicted": round(predicted, 4), "late": round(late, 4)}
        for predicted, late in evaluation.challenger.calibration_curve
    ]


def limits(evaluation: Evaluation) -> list[str]:
    """What the model can not do, and for which flights it knows less."""
    fallback = f"Flights from any other airport get the window's late rate, {evaluation.late_rate:.4f}."
    return [*LIMITS, fallback, *evaluation.notes, *evaluation.features.notes]


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
