"""The run record, read from Dagster's own metadata: any run's, wherever it was started."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import dagster as dg
from dagster import DagsterEventType, DagsterInstance
from dagster._core.execution.stats import RunStepKeyStatsSnapshot, StepEventStatus

from dagster_impl.defs import assets
from dagster_impl.errors import sentence
from dagster_impl.instance import chain
from shared.contracts import Batch, Contract, Deployment, Evaluation, Plan
from shared.runtime import records
from shared.runtime.records import RunRecord, StageRecord

C = TypeVar("C", bound=Contract)

STAGES = {
    spec.key.to_user_string(): spec.tags["stage"]
    for asset in dg.load_assets_from_modules([assets])
    for spec in asset.specs
}


def record_of(run_id: str, instance: DagsterInstance) -> RunRecord:
    """The record of a run that has ended."""
    its = instance.get_run_record_by_id(run_id)
    if its is None:
        raise LookupError(f"no run {run_id} in {instance.root_directory}")
    steps = steps_of(its.dagster_run, instance)
    plan = result(steps, "training_plan", Plan)
    batch = result(steps, "batch", Batch)
    return RunRecord.model_validate(
        {
            "tool": "dagster",
            "tool_version": dg.__version__,
            "month": its.dagster_run.tags["dagster/partition"],
            "run_id": run_id,
            "state": "success" if its.dagster_run.is_success else "failed",
            "started": time_of(its.start_time) or its.create_timestamp,
            "ended": time_of(its.end_time),
            "stages": records.in_order([stage for step in steps if (stage := stage_of(step, plan))]),
            **records.outcome(
                batch.inputs if batch else {},
                plan,
                result(steps, "evaluation", Evaluation),
                result(steps, "champion", Deployment),
            ),
            "error": error_of(its.dagster_run, instance),
        }
    )


def is_of_all_stages(run: dg.DagsterRun, instance: DagsterInstance) -> bool:
    """Whether the run, or the one that it retries, was asked for a month and for all its assets."""
    *_, first = chain(run, instance)
    if "dagster/partition" not in run.tags:
        return False
    return not first.asset_selection or {key.to_user_string() for key in first.asset_selection} >= STAGES.keys()


def steps_of(run: dg.DagsterRun, instance: DagsterInstance) -> list[RunStepKeyStatsSnapshot]:
    """The run's steps, and those of the runs that it goes on with."""
    oldest_first = reversed(list(chain(run, instance)))
    steps = [step for its in oldest_first for step in instance.get_run_step_stats(its.run_id)]
    return list({step.step_key: step for step in steps}.values())


def result(steps: list[RunStepKeyStatsSnapshot], asset: str, contract: type[C]) -> C | None:
    """What the run handed on as `asset`: the file that its materialization names."""
    for step in steps:
        for entry in step.materialization_events:
            made = entry.asset_materialization
            if made and made.asset_key.to_user_string() == asset:
                return contract.model_validate_json(Path(made.metadata["path"].value).read_bytes())
    return None


def stage_of(step: RunStepKeyStatsSnapshot, plan: Plan | None) -> StageRecord | None:
    """A step as a stage; None for the checks, and for the fan-out and fan-in around `train`."""
    asset, _, op = step.step_key.partition(".")
    if asset not in STAGES or (op and not op.startswith("train[")):
        return None
    state = state_of(step)
    if state == "skipped":
        return StageRecord(stage=STAGES[asset], state=state, attempts=0)
    keys = {f"train[{assets.mapping_key(candidate)}]": candidate.key for candidate in plan.candidates} if plan else {}
    return StageRecord(
        stage=STAGES[asset],
        key=keys.get(op),
        state=state,
        attempts=step.attempts or 1,
        started=time_of(step.start_time),
        ended=time_of(step.end_time),
    )


def state_of(step: RunStepKeyStatsSnapshot) -> records.State:
    """A candidate that failed has a step that succeeded, with a failed expectation in place of its output."""
    if step.status == StepEventStatus.SKIPPED:
        return "skipped"
    as_expected = all(expectation.success for expectation in step.expectation_results)
    return "success" if step.status == StepEventStatus.SUCCESS and as_expected else "failed"


def time_of(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)


def error_of(run: dg.DagsterRun, instance: DagsterInstance) -> str | None:
    """What the first failed step said, or the run itself if it failed otherwise; None if it has not failed."""
    if run.is_success:
        return None
    if run.status == dg.DagsterRunStatus.CANCELED:
        return records.STOPPED
    failures = instance.all_logs(run.run_id, of_type={DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE})
    error = getattr(failures[0].get_dagster_event().event_specific_data, "error", None)
    return sentence(error) if error else failures[0].message
