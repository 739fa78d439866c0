"""The pipeline: one asset for what each stage makes, partitioned by target month.

Each asset bears the tag `stage` with the stage's name. A partition holds all that its month needs (the batch of
2013-06 has its training window in it), so any month can be materialized into an empty instance.
"""

import re
from collections.abc import Iterator
from typing import Any

import dagster as dg

from dagster_impl import pages
from dagster_impl.stage import stage
from shared.contracts import Batch, Candidate, Deployment, Evaluation, Features, Plan, Trained, Validated
from shared.lib.source import Source
from shared.settings import Settings
from shared.stages.deploy import deploy
from shared.stages.evaluate import evaluate
from shared.stages.features import features
from shared.stages.ingest import ingest
from shared.stages.plan import plan
from shared.stages.train import train
from shared.stages.validate import validate

MONTHS = dg.DynamicPartitionsDefinition(name="month")
"""The months that a source has: a sensor adds those of the default source, a run its own."""

COMMON = {"partitions_def": MONTHS, "owners": ["team:late-flights"], "code_version": "1"}
RunSettings = dg.ResourceParam[Settings]


@dg.asset(**COMMON, group_name="data", kinds={"csv"}, tags={"stage": "ingest"})
def batch(context: dg.AssetExecutionContext, settings: RunSettings) -> dg.MaterializeResult[Batch]:
    """The month's files and those of its training window, as the source has them."""
    month = context.partition_key if context.has_partition_key else ""  # which `ingest` refuses in a sentence
    with stage():
        ingested = ingest(month, settings)
    context.instance.add_dynamic_partitions(MONTHS.name, Source(settings.source).months() or [month])
    return dg.MaterializeResult(
        value=ingested, metadata={"window": list(ingested.window), "inputs": dict(ingested.inputs)}
    )


@dg.asset(**COMMON, group_name="data", kinds={"polars"}, tags={"stage": "validate"})
def validated_batch(batch: Batch, settings: RunSettings) -> dg.MaterializeResult[Validated]:
    """The batch, when it keeps every rule; otherwise this fails, and nothing downstream sees the batch."""
    with stage():
        validated = validate(batch, settings)
    drift = {f"PSI {column}": index for column, index in validated.drift.items()}
    rows = sum(validated.rows.values())
    return dg.MaterializeResult(
        value=validated, metadata={"flights": rows, "warnings": list(validated.warnings), **drift}
    )


@dg.asset(**COMMON, group_name="data", kinds={"arrow"}, tags={"stage": "features"})
def feature_table(validated_batch: Validated, settings: RunSettings) -> dg.MaterializeResult[Features]:
    """What is known of each flight before its departure, as one Arrow IPC file."""
    with stage():
        table = features(validated_batch, settings)
    return dg.MaterializeResult(
        value=table,
        metadata=pages.features_metadata(table, settings),
        data_version=dg.DataVersion(table.file.sha256),
    )


@dg.asset(**COMMON, group_name="training", kinds={"mlflow"}, tags={"stage": "plan"})
def training_plan(
    context: dg.AssetExecutionContext, feature_table: Features, settings: RunSettings
) -> dg.MaterializeResult[Plan]:
    """The candidates to train, decided from the data."""
    with stage():
        planned = plan(feature_table, context.run_id, settings, pages.run_url(context.run_id, settings))
    keys = [candidate.key for candidate in planned.candidates]
    return dg.MaterializeResult(
        value=planned, metadata={"candidates": keys, "MLflow": pages.mlflow_link(planned.run_id, settings)}
    )


@dg.op(out=dg.DynamicOut(Candidate))
def fan_out(context: dg.OpExecutionContext, training_plan: Plan) -> Iterator[dg.DynamicOutput[Candidate]]:
    """One output, and so one step of training, for each candidate of the plan."""
    # From here on a retry "from failure", the default, would forget the candidates whose training had not begun.
    context.instance.add_run_tags(context.run_id, {"dagster/retry_strategy": "FROM_ASSET_FAILURE"})
    for candidate in training_plan.candidates:
        yield dg.DynamicOutput(candidate, mapping_key=mapping_key(candidate))


def mapping_key(candidate: Candidate) -> str:
    """`EWR__logistic` for `EWR/logistic`: Dagster allows letters, digits and underscores only."""
    return re.sub(r"[^A-Za-z0-9_]", "_", candidate.key.replace("/", "__"))


@dg.op(name="train")
def train_candidate(
    context: dg.OpExecutionContext, candidate: Candidate, training_plan: Plan, settings: RunSettings
) -> Trained | None:
    """Train one candidate; a failed one is a failed expectation and no failed step, which would stop the fan-in."""
    try:
        with stage():
            return train(candidate, training_plan, settings)
    except dg.RetryRequested:
        raise
    except Exception as error:
        context.log.error(f"{candidate.key} failed: {error}")
        context.log_event(dg.ExpectationResult(success=False, label=candidate.key, description=str(error)))
        return None


@dg.op
def fan_in(training_plan: Plan, trained: Any) -> dg.Output[list[Trained]]:
    """The candidates that could be trained. One that failed arrives as None; one that was never run, not at all."""
    if len(trained) < len(training_plan.candidates):
        raise dg.Failure(
            f"{len(trained)} of {len(training_plan.candidates)} candidates have come to an end, as the run was resumed "
            "in the midst of them; re-execute it from asset failure instead of from failure"
        )
    # Dagster loads a fan-in's items one by one, each with the type of the whole input: hence `Any`.
    successful = [Trained.model_validate(candidate) for candidate in trained if candidate]
    return dg.Output(successful, metadata=pages.candidates_metadata(successful))


@dg.graph_asset(**COMMON, group_name="training", kinds={"scikitlearn"}, tags={"stage": "train"})
def trained_candidates(training_plan: Plan) -> list[Trained]:
    """The candidates that could be trained: one step each."""
    candidates = fan_out(training_plan)
    return fan_in(training_plan, candidates.map(lambda candidate: train_candidate(candidate, training_plan)).collect())


@dg.asset(**COMMON, group_name="evaluation", kinds={"scikitlearn", "mlflow"}, tags={"stage": "evaluate"})
def evaluation(
    training_plan: Plan, trained_candidates: list[Trained], settings: RunSettings
) -> dg.MaterializeResult[Evaluation]:
    """Challenger, champion and base rate on the target month, and the decision."""
    with stage():
        evaluated = evaluate(training_plan, trained_candidates, settings)
    metadata = pages.evaluation_metadata(evaluated, trained_candidates, settings)
    return dg.MaterializeResult(value=evaluated, metadata=metadata)


@dg.asset(**COMMON, group_name="evaluation", kinds={"scikitlearn"}, output_required=False)
def challenger(evaluation: Evaluation) -> Iterator[dg.Output[Evaluation]]:
    """The branch: there is a model to put in service only if the decision is to promote it."""
    if evaluation.decision == "promote":
        families = {origin: trained.candidate.family for origin, trained in evaluation.best.items()}
        yield dg.Output(evaluation, metadata=families)


@dg.asset(**COMMON, group_name="service", kinds={"mlflow"}, tags={"stage": "deploy"})
def champion(challenger: Evaluation, settings: RunSettings) -> dg.MaterializeResult[Deployment]:
    """The model in service. Dagster skips this step when there is no challenger to promote."""
    with stage():
        deployed = deploy(challenger, settings)
    return dg.MaterializeResult(
        value=deployed,
        metadata=pages.champion_metadata(deployed, challenger, settings),
        data_version=dg.DataVersion(deployed.fingerprint),
    )
