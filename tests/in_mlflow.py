"""What MLflow knows of a run of the product's pipeline, beside what the tool's own record tells of it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from shared.runtime.lineage import Model
from shared.settings import Settings


@dataclass
class Told:
    """What a tool's own record tells: the model in service, the features' sha256, and where it names other runs.

    `pages` has the run's parts, such as tasks, with what each of them shows.
    """

    model: Model
    features: str | None
    pages: dict[str, str]


def beside_mlflow(told: Told, settings: Settings) -> dict[str, Any]:
    """The answers and facts of the scenario; ValueError if MLflow knows no run, or several, of the tool's run."""
    from shared.lib import tracking

    client, model = tracking.client(settings), told.model
    experiment = [client.get_experiment_by_name(settings.experiment).experiment_id]
    (parent,) = client.search_runs(experiment, f"tags.`orchestrator.run_id` = '{model.run_id}'")
    nested = client.search_runs(experiment, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    version = client.get_model_version(settings.model_name, model.version)
    files = {name: sha256 for name, sha256 in digests(parent).items() if name.endswith(".csv")}
    tables = {name: sha256 for run in (parent, *nested) for name, sha256 in digests(run).items() if name not in files}
    used_for = {name.rpartition(" ")[2] for name in tables}
    back = sorted(part for part, shown in told.pages.items() if parent.info.run_id in shown)
    return {
        "same_files": bool(files) and model.files == files,
        "same_features": used_for == {"training", "holdout", "evaluation"} and set(tables.values()) == {told.features},
        "run_linked": model.run_id in unquote(parent.data.tags["orchestrator.url"]),
        "version_linked": (version.tags["orchestrator.run_id"], version.tags["fingerprint"])
        == (model.run_id, model.fingerprint),
        "back": bool(back),
        "same_code": model.code_version == parent.data.tags["code.version"],
        "source_files": len(files.items() & (model.files or {}).items()),
        "datasets": sum(sha256 == told.features for sha256 in tables.values()),
        "leads_back": ", ".join(back) or "nothing",
    }


def digests(run: Any) -> dict[str, str]:
    """The whole sha256 of each dataset of a run, of which MLflow's own digest is the start."""
    found = {}
    for each in run.inputs.dataset_inputs:
        (found[each.dataset.name],) = (tag.value for tag in each.tags if tag.key == "sha256")
        assert found[each.dataset.name][:36] == each.dataset.digest
    return found
