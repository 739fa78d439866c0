"""What a run shows in Prefect's UI under Artifacts, from the leaderboard to the champion, with links to MLflow."""

from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from shared.contracts import Deployment, Evaluation, Trained
from shared.lib import plot, registry, report, tracking
from shared.settings import Settings


def publish(evaluation: Evaluation, trained: list[Trained], settings: Settings) -> None:
    """Create the artifacts; call it from within a task run."""
    month = evaluation.month
    create_table_artifact(
        report.leaderboard(trained, evaluation), key="leaderboard", description=f"Candidates of {month}, best first"
    )
    create_markdown_artifact(scores(evaluation), key="evaluation", description=evaluation.reason)
    picture = plot.data_url(plot.calibration(evaluation))
    create_image_artifact(picture, key="calibration", description=f"Calibration on {month}")
    link = tracking.run_url(evaluation.run_id, settings)
    create_link_artifact(link, f"MLflow, run of {month}", key="mlflow", description="While `make mlflow-ui` is up")


def scores(evaluation: Evaluation) -> str:
    """Decision and scores on the target month, over all flights and by airport, as Markdown."""
    head = f"## {evaluation.month}: {evaluation.decision}\n\n{evaluation.reason}."
    notes = [f"- {note}" for note in evaluation.notes]
    return "\n".join([head, "", report.markdown(report.scores(evaluation)), "", *notes])


def announce(evaluation: Evaluation, deployment: Deployment, settings: Settings) -> None:
    """Say which model is in service now, and why."""
    link = registry.version_url(deployment.version, settings)
    facts = {
        "version": f"[{deployment.version}]({link}) of {settings.model_name}, in MLflow",
        "fingerprint": f"`{deployment.fingerprint}`",
        "in service since": evaluation.month,
        "before it": f"version {deployment.previous}" if deployment.previous else "none",
        "why": evaluation.reason,
    }
    rows = [{"champion": name, "": fact} for name, fact in facts.items()]
    create_markdown_artifact(report.markdown(rows), key="champion", description=f"In service since {evaluation.month}")
