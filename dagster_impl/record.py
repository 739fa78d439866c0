"""The run record, read from Dagster's own metadata: any run's, wherever it was started.

The statistics of a run's steps come from `DagsterInstance.get_run_step_stats`; their types have no public name.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import dagster as dg
from upath import UPath

from dagster_impl.defs import assets
from dagster_impl.home import with_parents
from dagster_impl.progress import error_message
from shared.contracts import Batch, Contract, Deployment, Evaluation, Plan
from shared.runtime import records
from shared.runtime.records import RunRecord, StageRecord

C = TypeVar("C", bound=Contract)
StepStats = Any

FAILURES = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
STAGES = {
    spec.key.to_user_string(): spec.tags["stage"]
    for asset in dg.load_assets_from_modules([assets])
    for spec in asset.specs
    if "stage" in spec.tags
}
"""The stage of each asset's step; the asset `challenger` is the branch between two stages, and none itself."""


def run_record(run_id: str, instance: dg.DagsterInstance) -> RunRecord:
    """The record of a run that has ended."""
    stored = instance.get_run_record_by_id(run_id)
    if stored is None:
        raise LookupError(f"no run {run_id} in {instance.root_directory}")
    run = stored.dagster_run
    steps = last_stats(run, instance)
    plan = result(steps, "training_plan", Plan)
    batch = result(steps, "batch", Batch)
    return RunRecord.model_validate(
        {
            "tool": "dagster",
            "tool_version": dg.__version__,
            "month": run.tags["dagster/partition"],
            "run_id": run_id,
            "state": "success" if run.is_success else "failed",
            "started": as_datetime(stored.start_time) or stored.create_timestamp,
            "ended": as_datetime(stored.end_time),
            "stages": records.in_order([stage for step in steps if (stage := stage_record(step, plan))]),
            **records.outcome(
                batch.inputs if batch else {},
                plan,
                result(steps, "evaluation", Evaluation),
                result(steps, "champion", Deployment),
            ),
            "error": run_error(run, instance),
        }
    )


def is_of_all_stages(run: dg.DagsterRun, instance: dg.DagsterInstance) -> bool:
    """Whether the run, or the one that it retries, was asked for a month and for all its assets."""
    *_, first = with_parents(run, instance)
    if "dagster/partition" not in run.tags:
        return False
    return not first.asset_selection or {key.to_user_string() for key in first.asset_selection} >= STAGES.keys()


def last_stats(run: dg.DagsterRun, instance: dg.DagsterInstance) -> list[StepStats]:
    """The statistics of the run's steps, and for those that a retry did not repeat, of the runs before it."""
    oldest_first = reversed(list(with_parents(run, instance)))
    steps = [step for each in oldest_first for step in instance.get_run_step_stats(each.run_id)]
    return list({step.step_key: step for step in steps}.values())


def result(steps: Sequence[StepStats], asset: str, contract: type[C]) -> C | None:
    """What the run handed on as `asset`: the file that its materialization names."""
    for step in steps:
        for entry in step.materialization_events:
            materialization = entry.asset_materialization
            if materialization and materialization.asset_key.to_user_string() == asset:
                return contract.model_validate_json(UPath(materialization.metadata["path"].value).read_bytes())
    return None


def stage_record(step: StepStats, plan: Plan | None) -> StageRecord | None:
    """A step as a stage; None for the checks, and for the fan-out and fan-in around `train`."""
    asset, _, op = step.step_key.partition(".")
    if asset not in STAGES or (op and not op.startswith("train[")):
        return None
    state = step_state(step)
    if state == "skipped":
        return StageRecord(stage=STAGES[asset], state=state, attempts=0)
    keys = {f"train[{assets.mapping_key(candidate)}]": candidate.key for candidate in plan.candidates} if plan else {}
    return StageRecord(
        stage=STAGES[asset],
        key=keys.get(op),
        state=state,
        attempts=step.attempts or 1,
        started=as_datetime(step.start_time),
        ended=as_datetime(step.end_time),
    )


def step_state(step: StepStats) -> records.State:
    """A candidate that failed has a step that succeeded, with a failed expectation in place of its output."""
    status = step.status.value if step.status else None
    if status == "SKIPPED":
        return "skipped"
    as_expected = all(expectation.success for expectation in step.expectation_results)
    return "success" if status == "SUCCESS" and as_expected else "failed"


def as_datetime(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)


def run_error(run: dg.DagsterRun, instance: dg.DagsterInstance) -> str | None:
    """The message of the first failed step, or of the run if it failed otherwise; None if it has not failed."""
    if run.is_success:
        return None
    if run.status == dg.DagsterRunStatus.CANCELED:
        return records.STOPPED
    failure = instance.all_logs(run.run_id, of_type=FAILURES)[0]
    error = getattr(failure.get_dagster_event().event_specific_data, "error", None)
    return error_message(error) if error else failure.message
