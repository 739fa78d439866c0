"""What the assets' pages show of the results: tables, a picture, links, and numbers that are plotted by month."""

from collections.abc import Sequence

import dagster as dg

from shared.contracts import Deployment, Evaluation, Scores, Trained
from shared.lib import plot, registry, report, tracking
from shared.runtime import servers
from shared.settings import Settings

Metadata = dict[str, dg.MetadataValue | float | str]


def run_url(run_id: str, settings: Settings) -> str:
    """The run's page when `make dagster-ui` is up."""
    return f"{servers.url_of('dagster', settings.home)}/runs/{run_id}"


def mlflow(run_id: str, settings: Settings) -> dg.MetadataValue:
    return dg.MetadataValue.url(tracking.run_url(run_id, settings))


def table(rows: Sequence[report.Row]) -> dg.MetadataValue:
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows])


def of_candidates(trained: Sequence[Trained]) -> Metadata:
    return {"leaderboard": table(report.leaderboard(trained)), "trained": len(trained)} if trained else {"trained": 0}


def of_evaluation(made: Evaluation, trained: Sequence[Trained], settings: Settings) -> Metadata:
    models = {"challenger": made.challenger, "champion": made.champion}
    return {
        "decision": made.decision,
        "reason": made.reason,
        "scores": table(report.scores(made)),
        "leaderboard": table(report.leaderboard(trained, made)),
        "calibration": dg.MetadataValue.md(f"![calibration]({plot.data_url(plot.calibration(made))})"),
        "MLflow": mlflow(made.run_id, settings),
    } | {name: value for who, its in models.items() if its for name, value in numbers(its, f"{who}: ").items()}


def of_champion(made: Deployment, evaluation: Evaluation, settings: Settings) -> Metadata:
    """The version in service, and how well it did in the month for which it was trained."""
    version = dg.MetadataValue.url(registry.version_url(made.version, settings))
    return made.model_dump() | {"MLflow": version} | numbers(evaluation.challenger)


def numbers(scores: Scores, prefix: str = "") -> Metadata:
    """Brier score and AUC, over all flights and by airport."""
    named = {"": scores} | {f" {origin}": its for origin, its in scores.by_origin.items()}
    brier = {f"{prefix}Brier score{where}": its.brier for where, its in named.items()}
    return brier | {f"{prefix}AUC{where}": its.auc for where, its in named.items() if its.auc is not None}
