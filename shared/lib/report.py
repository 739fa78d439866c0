"""Leaderboard, scores and summary of a run as tables, for the tools' pages and MLflow's."""

from collections.abc import Iterable, Sequence

from shared.contracts import Evaluation, Score, Trained

Row = dict[str, str | int | float]
LEADERBOARD = "leaderboard.json"
SCORES = "scores.json"


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
