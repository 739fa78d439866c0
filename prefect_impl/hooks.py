"""What happens around a run: it is claimed by its process, recorded at its end, and ended if its process is gone."""

from contextlib import ExitStack
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run, task_run
from prefect.states import Cancelled, Crashed

from prefect_impl import openlineage_events
from prefect_impl.record import record_of
from shared.lib import stage, tracking
from shared.runtime import interrupt, records, running
from shared.settings import Settings

CLAIM = ExitStack()


def claim(flow: Any, flow_run: FlowRun, state: State) -> None:
    """Claim a deployment's run for the process that begins it; the command claims and records its own runs."""
    if flow_run.deployment_id:
        interrupt.watch(1)  # Prefect would wait half a minute for a fit that does not end; `conclude` does the rest
        CLAIM.close()  # a flow with retries begins once more in the same process
        CLAIM.enter_context(running.claimed(str(flow_run.id), Settings(tool="prefect")))


def conclude(flow: Any, flow_run: FlowRun, state: State) -> None:
    """Record a deployment's run at its end, whatever that is; of a killed or cancelled one, the runner calls this."""
    if not flow_run.deployment_id:
        return
    settings = Settings(tool="prefect")
    CLAIM.close()
    end_abandoned(settings)  # at once: a person may retry the run while its record is made
    if not state.is_completed():
        tracking.kill(str(flow_run.id), settings)
    records.write(record_of(flow_run.id), settings)
    openlineage_events.report(flow_run.id)


def cancel(flow_run: FlowRun, settings: Settings) -> None:
    """Let the run's state say that a person has stopped it: an interrupt alone is a crash to Prefect."""
    with get_client(sync_client=True) as api:
        api.set_flow_run_state(flow_run.id, Cancelled(message=records.STOPPED), force=True)
    tracking.kill(str(flow_run.id), settings)


def end_abandoned(settings: Settings) -> None:
    """End for good the runs whose process is gone, so that none of them is Running for ever."""
    with get_client(sync_client=True) as api:
        for run_id in running.abandoned(settings):
            end(UUID(run_id), api)
            tracking.kill(run_id, settings)


def end(run_id: UUID, api: SyncPrefectClient) -> None:
    """End an abandoned run: as Cancelled if a person has asked for that, else as Crashed.

    One that has ended already, or waits for its retry, stays as it is.
    """
    try:
        state = api.read_flow_run(run_id).state
    except ObjectNotFound:  # deleted meanwhile
        return
    if state and state.is_cancelling():
        api.set_flow_run_state(run_id, Cancelled(message=records.STOPPED), force=True)
    elif state and not state.is_final() and not state.is_scheduled():
        api.set_flow_run_state(run_id, Crashed(message="the run's process is gone; run the month again"), force=True)


def instance() -> stage.Instance:
    """What the log and a trace call the instance of the task that runs here."""
    return stage.Instance(str(flow_run.id), flow_run.parameters["month"], task_run.run_count)


stage.instances["prefect"] = instance
