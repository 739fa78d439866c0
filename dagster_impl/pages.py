"""What the assets' pages show of the results: tables, a picture, links, and numbers that are plotted by month."""

from collections.abc import Sequence

import dagster as dg

from shared.contracts import Deployment, Evaluation, Features, Scores, Trained
from shared.lib import feature_table, plot, registry, report, tracking
from shared.runtime import servers
from shared.settings import Settings

Metadata = dict[str, dg.MetadataValue | dg.TableSchema | dg.TableColumnLineage | float | str]


def run_url(run_id: str, settings: Settings) -> str:
    """The run's page when `make dagster-ui` is up."""
    return f"{servers.url_of('dagster', settings.home)}/runs/{run_id}"


def mlflow_link(run_id: str, settings: Settings) -> dg.MetadataValue:
    """A link to the run's page in MLflow."""
    return dg.MetadataValue.url(tracking.run_url(run_id, settings))


def table(rows: Sequence[report.Row]) -> dg.MetadataValue:
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows])


def features_metadata(features: Features, settings: Settings) -> Metadata:
    """The file, its rows and its columns with their types and the columns of the batch that they come from."""
    columns = feature_table.read(features.file, settings).schema
    batch = dg.AssetKey("validated_batch")
    lineage = {
        name: [dg.TableColumnDep(batch, origin) for origin in origins]
        for name, origins in feature_table.ORIGINS.items()
    }
    return {
        "dagster/row_count": features.rows,
        "dagster/column_schema": dg.TableSchema([dg.TableColumn(name, str(columns[name])) for name in columns]),
        "dagster/column_lineage": dg.TableColumnLineage(lineage),
        "file": features.file.path,
        "notes": dg.MetadataValue.json(list(features.notes)),
    }


def candidates_metadata(trained: Sequence[Trained]) -> Metadata:
    """The leaderboard, and how many candidates it has."""
    return {"leaderboard": table(report.leaderboard(trained)), "trained": len(trained)} if trained else {"trained": 0}


def evaluation_metadata(evaluation: Evaluation, trained: Sequence[Trained], settings: Settings) -> Metadata:
    """The decision, the scores as tables and numbers, and the calibration plot."""
    metadata: Metadata = {
        "decision": evaluation.decision,
        "reason": evaluation.reason,
        "scores": table(report.scores(evaluation)),
        "leaderboard": table(report.leaderboard(trained, evaluation)),
        "calibration": dg.MetadataValue.md(f"![calibration]({plot.data_url(plot.calibration(evaluation))})"),
        "MLflow": mlflow_link(evaluation.run_id, settings),
        **score_metadata(evaluation.challenger, "challenger: "),
    }
    return metadata | (score_metadata(evaluation.champion, "champion: ") if evaluation.champion else {})


def champion_metadata(deployment: Deployment, evaluation: Evaluation, settings: Settings) -> Metadata:
    """The version in service, and how well it did in the month for which it was trained."""
    link = dg.MetadataValue.url(registry.version_url(deployment.version, settings))
    return deployment.model_dump() | {"MLflow": link} | score_metadata(evaluation.challenger)


def score_metadata(scores: Scores, prefix: str = "") -> Metadata:
    """Brier score and AUC, over all flights and by airport; Dagster plots numbers by month."""
    by_name = {"": scores} | {f" {origin}": score for origin, score in scores.by_origin.items()}
    brier = {f"{prefix}Brier score{name}": score.brier for name, score in by_name.items()}
    return brier | {f"{prefix}AUC{name}": score.auc for name, score in by_name.items() if score.auc is not None}
