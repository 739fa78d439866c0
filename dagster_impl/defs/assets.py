"""The pipeline: one asset for what each stage makes, partitioned by target month.

Each asset bears the tag `stage` with the stage's name. A partition holds all that its month needs (the batch of
2013-06 has its training window in it), so any month can be materialized into an empty instance.
"""

import re
from collections.abc import Iterator
from typing import Any

import dagster as dg

from dagster_impl.defs.resources import RunSettings
from dagster_impl.retries import RETRIES, is_retried, only_transient
from shared import plot
from shared.contracts import Batch, Candidate, Deployment, Evaluation, Features, Plan, Trained, Validated
from shared.deploy import deploy
from shared.evaluate import evaluate
from shared.features import features
from shared.ingest import ingest
from shared.plan import plan
from shared.train import train
from shared.validate import InvalidBatchError, validate

MONTHS = dg.MonthlyPartitionsDefinition(start_date="1987-10", fmt="%Y-%m")
"""From the first month of the public record of US flights to the last full month."""


@dg.asset(partitions_def=MONTHS, retry_policy=RETRIES, code_version="1", kinds={"csv"}, tags={"stage": "ingest"})
def batch(context: dg.AssetExecutionContext, settings: RunSettings) -> Batch:
    """The month's files and those of its training window, as the source has them."""
    with only_transient():
        made = ingest(context.partition_key, settings.of_run())
    context.add_output_metadata({"window": list(made.window), "inputs": made.inputs})
    return made


@dg.asset(
    partitions_def=MONTHS,
    retry_policy=RETRIES,
    code_version="1",
    kinds={"polars"},
    tags={"stage": "validate"},
    check_specs=[
        dg.AssetCheckSpec("keeps_every_rule", asset="validated_batch", description="Schema, ranges, keys, counts.")
    ],
)
def validated_batch(batch: Batch, settings: RunSettings) -> Iterator[dg.Output[Validated] | dg.AssetCheckResult]:
    """The batch, when it keeps every rule."""
    with only_transient():
        try:
            made = validate(batch, settings.of_run())
        except InvalidBatchError as error:
            yield dg.AssetCheckResult(passed=False, metadata={"report": str(error)})
            raise
    yield dg.Output(made, metadata={"flights": sum(made.rows.values()), "warnings": list(made.warnings)})
    yield dg.AssetCheckResult(passed=True)


@dg.asset(partitions_def=MONTHS, retry_policy=RETRIES, code_version="1", kinds={"arrow"}, tags={"stage": "features"})
def feature_table(context: dg.AssetExecutionContext, validated_batch: Validated, settings: RunSettings) -> Features:
    """What is known of each flight before its departure, as one Arrow IPC file."""
    with only_transient():
        made = features(validated_batch, settings.of_run())
    context.add_output_metadata({"dagster/row_count": made.rows, "file": made.file.path, "notes": list(made.notes)})
    return made


@dg.asset(partitions_def=MONTHS, retry_policy=RETRIES, code_version="1", kinds={"mlflow"}, tags={"stage": "plan"})
def training_plan(context: dg.AssetExecutionContext, feature_table: Features, settings: RunSettings) -> Plan:
    """The candidates to train, decided from the data."""
    with only_transient():
        made = plan(feature_table, context.run.run_id, settings.of_run())
    context.add_output_metadata({"candidates": [candidate.key for candidate in made.candidates]})
    return made


@dg.op(out=dg.DynamicOut(Candidate))
def fan_out(training_plan: Plan) -> Iterator[dg.DynamicOutput[Candidate]]:
    for candidate in training_plan.candidates:
        yield dg.DynamicOutput(candidate, mapping_key=mapping_key(candidate))


def mapping_key(candidate: Candidate) -> str:
    """`EWR__logistic` for `EWR/logistic`: Dagster allows letters, digits and underscores only."""
    return re.sub(r"[^A-Za-z0-9_]", "_", candidate.key.replace("/", "__"))


@dg.op(name="train", retry_policy=RETRIES)
def train_candidate(
    context: dg.OpExecutionContext, candidate: Candidate, training_plan: Plan, settings: RunSettings
) -> Trained | None:
    """Train one candidate; a failed one is a failed expectation and no failed step, which would stop the fan-in."""
    try:
        return train(candidate, training_plan, settings.of_run())
    except Exception as error:
        if is_retried(error, context):
            raise
        context.log.error(f"{candidate.key} failed: {error}")
        context.log_event(dg.ExpectationResult(success=False, label=candidate.key, description=str(error)))
        return None


@dg.op
def fan_in(trained: Any) -> Any:
    return [its for its in trained if its]


@dg.graph_asset(partitions_def=MONTHS, code_version="1", kinds={"scikitlearn"}, tags={"stage": "train"})
def trained_candidates(training_plan: Plan) -> list[Trained]:
    """The candidates that could be trained: one step each."""
    candidates = fan_out(training_plan)
    return fan_in(candidates.map(lambda candidate: train_candidate(candidate, training_plan)).collect())


@dg.multi_asset(
    name="evaluation",
    partitions_def=MONTHS,
    retry_policy=RETRIES,
    outs={
        "evaluation": dg.AssetOut(
            description="Challenger, champion and base rate on the target month, and the decision.",
            code_version="1", kinds={"scikitlearn", "mlflow"}, tags={"stage": "evaluate"},
        ),
        "challenger": dg.AssetOut(
            description="The model to put in service; made only if the decision is to promote it.",
            is_required=False, code_version="1", kinds={"scikitlearn"}, tags={"stage": "evaluate"},
        ),
    },
)  # fmt: skip
def evaluation(
    training_plan: Plan, trained_candidates: list[Trained], settings: RunSettings
) -> Iterator[dg.Output[Evaluation]]:
    with only_transient():
        made = evaluate(training_plan, trained_candidates, settings.of_run())
    brier = {"challenger": made.challenger.brier, "base_rate": made.base_rate.brier}
    picture = dg.MetadataValue.md(f"![calibration]({plot.data_url(plot.calibration(made))})")
    said = {"decision": made.decision, "reason": made.reason, "calibration": picture}
    yield dg.Output(made, "evaluation", metadata=said | brier)
    if made.decision == "promote":
        yield dg.Output(
            made, "challenger", metadata={origin: its.candidate.family for origin, its in made.best.items()}
        )


@dg.asset(partitions_def=MONTHS, retry_policy=RETRIES, code_version="1", kinds={"mlflow"}, tags={"stage": "deploy"})
def champion(context: dg.AssetExecutionContext, challenger: Evaluation, settings: RunSettings) -> Deployment:
    """The model in service. Dagster skips it when there is no challenger to promote."""
    with only_transient():
        made = deploy(challenger, settings.of_run())
    context.add_output_metadata(made.model_dump())
    return made
