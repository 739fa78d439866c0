"""The run record, from what Prefect's API says about a flow run."""

import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.client.schemas.sorting import TaskRunSort
from prefect.exceptions import MissingResult

from shared.contracts import Contract
from shared.runtime import records
from shared.runtime.records import RunRecord, StageRecord

LAG_SECONDS = 30.0
RAISED = re.compile(r"^Flow run encountered an exception:? \w+: ")


def record_of(flow_run_id: UUID) -> RunRecord:
    """The record of a flow run that has ended, wherever it was started."""
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(flow_run_id)
        runs = wait_for_task_runs(client, flow_run)
    returned = results(runs)
    return RunRecord.model_validate(
        {
            "tool": "prefect",
            "tool_version": metadata.version("prefect"),
            "month": flow_run.parameters["month"],
            "run_id": str(flow_run_id),
            "state": outcome(flow_run.state),
            "started": flow_run.start_time or flow_run.created,
            "ended": flow_run.end_time or datetime.now(UTC),
            "stages": records.in_order([stage_record(run) for run in runs if stage(run) in records.STAGES]),
            **records.outcome(
                returned["ingest"].inputs if "ingest" in returned else {},
                returned.get("plan"),
                returned.get("evaluate"),
                returned.get("deploy"),
            ),
            "error": error(flow_run.state),
        }
    )


def wait_for_task_runs(client: SyncPrefectClient, flow_run: FlowRun) -> list[TaskRun]:
    """The flow run's task runs; the server learns of them from events, a moment after the flow run has ended.

    The events of a run that was stopped may never come, and who has stopped it waits for its end.
    """
    by_itself = flow_run.state.is_completed() or flow_run.state.is_failed()
    deadline = time.monotonic() + (LAG_SECONDS if by_itself else 0)
    while True:
        runs = task_runs(client, flow_run.id)
        if is_complete(runs) or time.monotonic() > deadline:
            return runs
        time.sleep(0.1)


def task_runs(client: SyncPrefectClient, flow_run_id: UUID) -> list[TaskRun]:
    """The last task run of each name that did its work: a retried flow run has more of them, some from the cache.

    The server may have missed the end of one, whose process was killed just then or whose event a locked database lost:
    another one of its name tells it.
    """
    found: list[TaskRun] = []
    only = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    while page := client.read_task_runs(
        flow_run_filter=only, sort=TaskRunSort.EXPECTED_START_TIME_ASC, offset=len(found)
    ):
        found += page
    last: dict[str, TaskRun] = {}
    for run in sorted(found, key=has_ended):  # those that have ended come last, in time
        if run.state_name != "Cached" or not has_ended(last.get(run.name)):
            last[run.name] = run
    return list(last.values())


def has_ended(run: TaskRun | None) -> bool:
    return bool(run and run.state and run.state.is_final())


def is_complete(runs: list[TaskRun]) -> bool:
    """Whether the last stage and all candidates are there, and have ended."""
    if not runs or not all(map(has_ended, runs)):
        return False
    returned = results(runs)
    trainings = [run for run in runs if stage(run) == "train"]
    if "plan" in returned and len(trainings) < len(returned["plan"].candidates):
        return False
    sunk = any(run.state.is_failed() for run in runs if run not in trainings)
    return sunk or "deploy" in returned or ("evaluate" in returned and returned["evaluate"].decision == "keep")


def results(runs: list[TaskRun]) -> dict[str, Contract]:
    """What the stages that run once have returned; a rolled back transaction has taken its results back."""
    returned = {}
    for run in runs:
        if stage(run) != "train" and run.state and run.state.is_completed():
            with suppress(MissingResult):
                try:
                    returned[stage(run)] = run.state.result()
                except ValueError as error:  # what Prefect raises when the result's file is gone
                    if "does not exist" not in str(error):
                        raise
    return returned


def stage(run: TaskRun) -> str:
    """The task's name: its key is `<name>-<hash of its code>`."""
    return run.task_key.rpartition("-")[0]


def stage_record(run: TaskRun) -> StageRecord:
    name = stage(run)
    return StageRecord(
        stage=name,
        key=run.name if name == "train" else None,
        state=outcome(run.state),
        attempts=run.run_count or 1,  # none if it is from the cache
        started=run.start_time,
        ended=run.end_time,
    )


def outcome(state: State | None) -> str:
    return "success" if state and state.is_completed() else "failed"


def error(state: State | None) -> str | None:
    """The message of the exception that a failed flow run ended with, or of the crash."""
    if state is None or state.is_completed():
        return None
    if state.is_cancelling() or state.is_cancelled():
        return records.STOPPED
    message = state.message or state.name
    return RAISED.sub("", message) or message
