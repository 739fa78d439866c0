"""Leaderboard, scores and summary of a run as tables, for the tools' pages and MLflow's."""

from collections.abc import Iterable, Sequence

from shared.contracts import Evaluation, Score, Trained

Row = dict[str, str | int | float]
LEADERBOARD = "leaderboard.json"
SHOWN_CANDIDATES = 30
PURPOSE = (
    "Tells before departure how likely a flight is to land more than 15 minutes late: one scikit-learn pipeline for "
    "each origin airport."
)
LIMITS = (
    "It knows no flight that was cancelled or diverted, and nothing that is known only after departure.",
    "It was fitted on the training window less its last 14 days, and has seen no other season.",
    "The scores are of one month; the base rate beside them predicts each airport's share of late flights.",
)


def leaderboard(trained: Iterable[Trained], evaluation: Evaluation | None = None) -> list[Row]:
    """The candidates by origin airport, the best first; once they are evaluated, the chosen ones are marked."""
    rows: list[Row] = []
    for model in sorted(trained, key=lambda model: (model.candidate.origin, model.brier)):
        origin, family = model.candidate.origin, model.candidate.family
        row: Row = {"origin": origin, "family": family, "Brier score": round(model.brier, 4), "AUC": rounded(model.auc)}
        if evaluation:
            row["chosen"] = "✓" if evaluation.best[origin].candidate == model.candidate else ""
        rows.append(row)
    return rows


def scores(evaluation: Evaluation) -> list[Row]:
    """Challenger, champion and base rate on the target month, over all flights and by origin airport."""
    models = {"challenger": evaluation.challenger, "champion": evaluation.champion, "base rate": evaluation.base_rate}
    scored = {model: scores for model, scores in models.items() if scores}
    rows = [score_row(model, "all", scores) for model, scores in scored.items()]
    for origin in evaluation.challenger.by_origin:
        rows += [score_row(model, origin, scores.by_origin[origin]) for model, scores in scored.items()]
    return rows


def score_row(model: str, origin: str, score: Score) -> Row:
    """One line of the table of scores."""
    return {
        "model": model,
        "origin": origin,
        "flights": score.rows,
        "Brier score": round(score.brier, 4),
        "AUC": rounded(score.auc),
        "calibration error": round(score.calibration_error, 4),
    }


def summary(evaluation: Evaluation) -> str:
    """The decision with its reason, and the scores, in Markdown."""
    head = f"**{evaluation.month}: {evaluation.decision}**, {evaluation.reason}."
    window = f"Trained on {', '.join(evaluation.features.window)}."
    return "\n\n".join([head, window, markdown(scores(evaluation)), *evaluation.notes])


def model_card(evaluation: Evaluation, candidates: Sequence[Row], promoted_by: str) -> str:
    """What the challenger is, what it was made from, how well it does and what it can not do, in Markdown.

    `candidates` is the leaderboard of all; `promoted_by` says who or what promoted it.
    """
    table, shown = evaluation.features, candidates[:SHOWN_CANDIDATES]
    left_out = (
        [f"{len(candidates) - len(shown)} more are in the run's `{LEADERBOARD}`."]
        if len(candidates) > len(shown)
        else []
    )
    fallback = f"Flights from any other airport get the window's late rate, {evaluation.late_rate:.4f}."
    sections = {
        "Purpose": [PURPOSE],
        "Decision": [f"**{evaluation.month}: {evaluation.decision}**, {evaluation.reason}. {promoted_by}"],
        "Scores": [markdown(scores(evaluation))],
        "Calibration": [markdown(calibration(evaluation)), "The run's `calibration.svg` draws it."],
        "Candidates": [markdown(shown), *left_out],
        "Training": [f"Trained on {', '.join(table.window)}. Evaluated on {table.month}."],
        "Source": [markdown([{"file": name, "sha256": f"`{sha256}`"} for name, sha256 in table.inputs.items()])],
        "Warnings": [bullets(table.warnings or ["No drift was found."])],
        "Limits": [bullets([*LIMITS, fallback, *evaluation.notes, *table.notes])],
    }
    return "\n\n".join(f"### {title}\n\n" + "\n\n".join(parts) for title, parts in sections.items())


def calibration(evaluation: Evaluation) -> list[Row]:
    """The challenger's calibration curve: what it predicted, and what share of these flights was late."""
    return [
        {"predicted": round(predicted, 4), "late": round(late, 4)}
        for predicted, late in evaluation.challenger.calibration_curve
    ]


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def rounded(auc: float | None) -> float | str:
    """The AUC for a table; empty where it is not defined, as all flights are late, or none."""
    return "" if auc is None else round(auc, 4)


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *([cell(value) for value in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: str | int | float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
