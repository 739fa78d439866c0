"""The pipeline: one asset for what each stage makes, partitioned by target month.

Each asset bears the tag `stage` with the stage's name. A partition holds all that its month needs (the batch of
2013-06 has its training window in it), so any month can be materialized into an empty instance.
"""

import re
from collections.abc import Iterator
from typing import Any

import dagster as dg

from dagster_impl import pages
from dagster_impl.defs.resources import RunSettings
from dagster_impl.stage import stage
from shared.contracts import Batch, Candidate, Deployment, Evaluation, Features, Plan, Trained, Validated
from shared.lib.source import Source
from shared.stages.deploy import deploy
from shared.stages.evaluate import evaluate
from shared.stages.features import features
from shared.stages.ingest import ingest
from shared.stages.plan import plan
from shared.stages.train import train
from shared.stages.validate import InvalidBatchError, validate

MONTHS = dg.DynamicPartitionsDefinition(name="month")
"""The months that a source has: a sensor adds those of the default source, a run its own."""

EVERY = {"partitions_def": MONTHS, "owners": ["team:late-flights"], "code_version": "1"}


@dg.asset(**EVERY, group_name="data", kinds={"csv"}, tags={"stage": "ingest"})
def batch(context: dg.AssetExecutionContext, settings: RunSettings) -> Batch:
    """The month's files and those of its training window, as the source has them."""
    its = settings.of_run()
    with stage():
        made = ingest(context.partition_key if context.has_partition_key else "", its)
    context.instance.add_dynamic_partitions(MONTHS.name, Source(its.source).months() or [made.month])
    context.add_output_metadata({"window": list(made.window), "inputs": made.inputs})
    return made


@dg.asset(
    **EVERY,
    group_name="data",
    kinds={"polars"},
    tags={"stage": "validate"},
    check_specs=[
        dg.AssetCheckSpec("keeps_every_rule", asset="validated_batch", description="Schema, ranges, keys, counts.")
    ],
)
def validated_batch(batch: Batch, settings: RunSettings) -> Iterator[dg.Output[Validated] | dg.AssetCheckResult]:
    """The batch, when it keeps every rule."""
    try:
        with stage():
            made = validate(batch, settings.of_run())
    except InvalidBatchError as error:
        yield dg.AssetCheckResult(passed=False, metadata={"report": str(error)})
        raise
    drift = {f"PSI {column}": index for column, index in made.drift.items()}
    yield dg.Output(made, metadata={"flights": sum(made.rows.values()), "warnings": list(made.warnings), **drift})
    yield dg.AssetCheckResult(passed=True)


@dg.asset(**EVERY, group_name="data", kinds={"arrow"}, tags={"stage": "features"})
def feature_table(context: dg.AssetExecutionContext, validated_batch: Validated, settings: RunSettings) -> Features:
    """What is known of each flight before its departure, as one Arrow IPC file."""
    with stage():
        made = features(validated_batch, settings.of_run())
    context.add_output_metadata({"dagster/row_count": made.rows, "file": made.file.path, "notes": list(made.notes)})
    return made


@dg.asset(**EVERY, group_name="training", kinds={"mlflow"}, tags={"stage": "plan"})
def training_plan(context: dg.AssetExecutionContext, feature_table: Features, settings: RunSettings) -> Plan:
    """The candidates to train, decided from the data."""
    its = settings.of_run()
    with stage():
        made = plan(feature_table, context.run_id, its, pages.run_url(context.run_id, its))
    keys = [candidate.key for candidate in made.candidates]
    context.add_output_metadata({"candidates": keys, "MLflow": pages.mlflow(made.run_id, its)})
    return made


@dg.op(out=dg.DynamicOut(Candidate))
def fan_out(context: dg.OpExecutionContext, training_plan: Plan) -> Iterator[dg.DynamicOutput[Candidate]]:
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
            return train(candidate, training_plan, settings.of_run())
    except dg.RetryRequested:
        raise
    except Exception as error:
        context.log.error(f"{candidate.key} failed: {error}")
        context.log_event(dg.ExpectationResult(success=False, label=candidate.key, description=str(error)))
        return None


@dg.op
def fan_in(context: dg.OpExecutionContext, training_plan: Plan, trained: Any) -> Any:
    if len(trained) < len(training_plan.candidates):
        raise dg.Failure(
            f"{len(trained)} of {len(training_plan.candidates)} candidates have come to an end, as the run was resumed "
            "in the midst of them; re-execute it from asset failure instead of from failure"
        )
    successful = [Trained.model_validate(its) for its in trained if its]
    context.add_output_metadata(pages.of_candidates(successful))
    return successful


@dg.graph_asset(**EVERY, group_name="training", kinds={"scikitlearn"}, tags={"stage": "train"})
def trained_candidates(training_plan: Plan) -> list[Trained]:
    """The candidates that could be trained: one step each."""
    candidates = fan_out(training_plan)
    return fan_in(training_plan, candidates.map(lambda its: train_candidate(its, training_plan)).collect())


@dg.multi_asset(
    name="evaluation",
    partitions_def=MONTHS,
    group_name="evaluation",
    outs={
        "evaluation": dg.AssetOut(
            description="Challenger, champion and base rate on the target month, and the decision.",
            owners=EVERY["owners"], code_version="1", kinds={"scikitlearn", "mlflow"}, tags={"stage": "evaluate"},
        ),
        "challenger": dg.AssetOut(
            description="The model to put in service; made only if the decision is to promote it.", is_required=False,
            owners=EVERY["owners"], code_version="1", kinds={"scikitlearn"}, tags={"stage": "evaluate"},
        ),
    },
)  # fmt: skip
def evaluation(
    training_plan: Plan, trained_candidates: list[Trained], settings: RunSettings
) -> Iterator[dg.Output[Evaluation]]:
    with stage():
        made = evaluate(training_plan, trained_candidates, settings.of_run())
    yield dg.Output(made, "evaluation", metadata=pages.of_evaluation(made, trained_candidates, settings.of_run()))
    if made.decision == "promote":
        yield dg.Output(
            made, "challenger", metadata={origin: its.candidate.family for origin, its in made.best.items()}
        )


@dg.asset(**EVERY, group_name="service", kinds={"mlflow"}, tags={"stage": "deploy"})
def champion(context: dg.AssetExecutionContext, challenger: Evaluation, settings: RunSettings) -> Deployment:
    """The model in service. Dagster skips it when there is no challenger to promote."""
    with stage():
        made = deploy(challenger, settings.of_run())
    context.add_output_metadata(pages.of_champion(made, challenger, settings.of_run()))
    return made
