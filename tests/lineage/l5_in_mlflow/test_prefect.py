"""The metadata of Prefect's assets and MLflow's datasets hold the same digests; an artifact links to MLflow's run."""

from pathlib import Path
from uuid import UUID

from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from prefect_impl import lineage, pipeline
from prefect_impl.run import run
from shared.settings import Settings
from tests.in_mlflow import Told, beside_mlflow
from tests.live import prefect
from tests.live.watch import until
from tests.scenario import Scenario


def told(flow_run: UUID) -> Told:
    model = until(lambda: next((each for each in lineage.models() if each.run_id == str(flow_run)), None))
    with prefect.client() as api:
        made = lineage.materializations(f"triptych://model/{model.month}", api)
        chain = dict(lineage.origins(next(event for event in made if lineage.run_id(event) == flow_run), api))
        features = next(
            (event.payload["sha256"] for event in chain.values() if event and "sha256" in event.payload), None
        )
        of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run]))
        pages = {
            f"the artifact {artifact.key}": str(artifact.data)
            for artifact in api.read_artifacts(artifact_filter=of_run)
        }
    return Told(model, features, pages)


def test_l5_in_mlflow(home: Path, source: Path, scenario: Scenario) -> None:
    settings = Settings(tool="prefect", source=str(source), min_rows=100, families=("logistic",))
    record = run("2013-06", settings)
    seen = beside_mlflow(told(UUID(record.run_id)), settings)
    scenario.obvious(pipeline.features, pipeline.plan, pipeline.deploy, success=record.state == "success", **seen)
    scenario.finding(
        f"The sha256 of {seen['source_files']} source files and of the features, which the pipeline adds to an asset's "
        f"metadata, are those of MLflow's datasets; {seen['leads_back']} names MLflow's run. As the code's version "
        "Prefect takes the flow's, a hash of its file, where MLflow's run has the commit."
    )
