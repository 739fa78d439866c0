"""What a run shows in Prefect's UI: the candidates' leaderboard and the challenger's calibration curve."""

from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact

from shared import plot
from shared.contracts import Deployment, Evaluation, Trained


def publish(evaluation: Evaluation, trained: list[Trained]) -> None:
    """Create the artifacts; call it from within a task run."""
    create_table_artifact(leaderboard(trained), key="leaderboard", description=f"Candidates of {evaluation.month}")
    create_markdown_artifact(report(evaluation), key="evaluation", description=evaluation.reason)
    picture = plot.data_url(plot.calibration(evaluation))
    create_image_artifact(picture, key="calibration", description=f"Calibration on {evaluation.month}")


def announce(evaluation: Evaluation, deployment: Deployment) -> None:
    """Say which model is in service now, and why."""
    text = f"Version {deployment.version} is in service since {evaluation.month}: {evaluation.reason}."
    create_markdown_artifact(text, key="champion", description=f"Model in service since {evaluation.month}")


def leaderboard(trained: list[Trained]) -> list[dict[str, object]]:
    """The candidates by origin airport, the best first."""
    ranked = sorted(trained, key=lambda its: (its.candidate.origin, its.brier))
    return [{**its.candidate.model_dump(), "brier": its.brier, "auc": its.auc} for its in ranked]


def report(evaluation: Evaluation) -> str:
    """The three scores as Markdown."""
    who = {"challenger": evaluation.challenger, "champion": evaluation.champion, "base rate": evaluation.base_rate}
    scores = [f"| {name} | {its.brier:.4f} | {its.calibration_error:.4f} |" for name, its in who.items() if its]
    return "\n".join(
        [
            f"## {evaluation.month}: {evaluation.decision}",
            "",
            "| model | Brier score | calibration error |",
            "|---|---|---|",
            *scores,
        ]
    )
