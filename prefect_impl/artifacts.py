"""What a run shows in Prefect's UI: the candidates' leaderboard and the challenger's calibration curve."""

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from shared.contracts import Evaluation, Trained


def publish(evaluation: Evaluation, trained: list[Trained]) -> None:
    """Create both artifacts; call it from within a task run."""
    create_table_artifact(leaderboard(trained), key="leaderboard", description=f"Candidates of {evaluation.month}")
    create_markdown_artifact(report(evaluation), key="evaluation", description=evaluation.reason)


def leaderboard(trained: list[Trained]) -> list[dict[str, object]]:
    """The candidates by origin airport, the best first."""
    ranked = sorted(trained, key=lambda its: (its.candidate.origin, its.brier))
    return [{**its.candidate.model_dump(), "brier": its.brier, "auc": its.auc} for its in ranked]


def report(evaluation: Evaluation) -> str:
    """The three scores and the calibration curve as Markdown."""
    who = {"challenger": evaluation.challenger, "champion": evaluation.champion, "base rate": evaluation.base_rate}
    scores = [f"| {name} | {its.brier:.4f} | {its.calibration_error:.4f} |" for name, its in who.items() if its]
    curve = [f"| {predicted:.3f} | {late:.3f} |" for predicted, late in evaluation.challenger.calibration_curve]
    return "\n".join(
        [
            f"## {evaluation.month}: {evaluation.decision}",
            "",
            "| model | Brier score | calibration error |",
            "|---|---|---|",
            *scores,
            "",
            "### Calibration of the challenger",
            "",
            "| predicted | late |",
            "|---|---|",
            *curve,
        ]
    )
