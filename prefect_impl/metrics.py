"""`python -m prefect_impl.metrics`: the page that Prometheus reads, of the runs that Prefect's API knows.

Prefect's own `/api/metrics` (PREFECT_SERVER_METRICS_ENABLED) counts no runs.
"""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, TaskRun
from prefect.exceptions import MissingResult

from prefect_impl import home
from prefect_impl.record import outcome, stage, stage_record, task_runs
from shared.runtime import exporter, metrics, records

OURS = FlowFilter(name=FlowFilterName(any_=["late-flights"]))
FINAL = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(TERMINAL_STATES))))


def ended() -> exporter.Ended:
    """The runs of the flow that have ended."""
    with get_client(sync_client=True) as api:
        for run in flow_runs(api):
            yield str(run.id), run.state.timestamp, partial(read, run, api)


def flow_runs(api: SyncPrefectClient) -> Iterator[FlowRun]:
    """The server gives a page at a time."""
    offset = 0
    while page := api.read_flow_runs(flow_filter=OURS, flow_run_filter=FINAL, offset=offset):
        yield from page
        offset += len(page)


def read(run: FlowRun, api: SyncPrefectClient) -> metrics.Run:
    """What the metrics tell of a run."""
    tasks = task_runs(api, run.id)
    validated = returned("validate", tasks)
    return metrics.Run(
        state=outcome(run.state),
        ended=run.state.timestamp,
        stages=tuple(stage_record(task) for task in tasks if stage(task) in records.STAGES),
        drift=validated.drift if validated else {},
        evaluation=records.evaluation_record(returned("evaluate", tasks)),
    )


def returned(name: str, tasks: list[TaskRun]) -> Any:
    """What a stage has returned; None, too, if its file is gone, or of an older version."""
    for task in tasks:
        if stage(task) == name and task.state and task.state.is_completed():
            with suppress(MissingResult, ValueError):
                return task.state.result()
    return None


if __name__ == "__main__":
    home.ensure_server()
    exporter.serve("prefect", ended)
