"""OpenLineage from Prefect's events, of which Prefect itself makes none: who ran, as part of what, from what, to what.

`run_events` is for the events of any flow run. Each try of a task is a run of its own, as the standard wants one START
and one end; a task that came from the cache, or was never begun, is none.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events import Event, emit_event
from prefect.events.filters import EventAnyResourceFilter, EventFilter

from prefect_impl.lineage import read
from prefect_impl.record import LAG_SECONDS
from shared.runtime import openlineage
from shared.runtime.openlineage import Dataset, dataset_name, event
from shared.settings import Settings

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

ENDS = {"COMPLETED": "COMPLETE", "FAILED": "FAIL", "CRASHED": "FAIL", "CANCELLED": "ABORT"}
MADE = "prefect.asset.materialization.succeeded"
UNTOLD = "the try failed and the task was tried again; Prefect keeps no message of such a try"

Describe = Callable[[str], Dataset]


def plain(key: str) -> Dataset:
    """The dataset of an asset by its key alone."""
    return Dataset(*dataset_name(key))


def run_events(events: Iterable[Event], describe: Describe = plain) -> "Iterator[RunEvent]":
    """The events of one flow run in OpenLineage's words; `describe` gives the dataset of an asset's key."""
    course = sorted(events, key=lambda each: (each.occurred, str(each.id)))
    begun: dict[str, Event] = {}
    whole: Event | None = None
    for each in course:
        state, run = kind(each), run_id(each)
        if state == "RUNNING" and run not in begun:
            begun[run] = each
            whole = whole if is_task(each) else each
            yield translated("START", each, whole)
        elif run in begun and (state in ENDS or each.event.endswith(".AwaitingRetry")):
            if not is_task(each):
                yield from (translated("ABORT", each, whole, task) for task in begun.values() if is_task(task))
                begun = {run: each}
            del begun[run]
            yield translated(ENDS.get(state, "FAIL"), each, whole, made=made_by(each, course), describe=describe)


def translated(
    state: str,
    now: Event,
    whole: Event | None,
    of: Event | None = None,
    made: Iterable[Event] = (),
    describe: Describe = plain,
) -> "RunEvent":
    """One event in OpenLineage's words, of the run that `now` or `of` is about; `whole` is about its flow run."""
    about = of or now
    keys = sorted({key for each in made for key in related("asset", each)})
    return event(
        state,
        now.occurred,
        run_id(about),
        job(about),
        (run_id(whole), job(whole)) if whole and is_task(about) else None,
        [describe(key) for key in keys],
        [describe(each.resource.id) for each in made],
        error=(now.resource.get("prefect.state-message") or UNTOLD) if state == "FAIL" else None,
    )


def made_by(ended: Event, events: Iterable[Event]) -> list[Event]:
    """What the task run that has ended in this event has materialized."""
    return [each for each in events if each.event == MADE and ended.resource.id in related("task-run", each)]


def kind(each: Event) -> str:
    """The state's type that the event tells of, such as RUNNING; empty if it is about none."""
    return each.resource.get("prefect.state-type") or ""


def is_task(each: Event) -> bool:
    return each.event.startswith("prefect.task-run.")


def run_id(each: Event) -> str:
    """Prefect's own id of the run; of each later try one that follows from it."""
    own = UUID(each.resource.id.rpartition(".")[2]) if kind(each) else each.id
    tries = int(each.resource.get("prefect.run-count") or 1)
    return str(own if tries <= 1 else uuid5(own, str(tries)))


def job(each: Event) -> str:
    """`flow` or `flow.task`; a task's key is `<name>-<hash of its code>`."""
    flow = related_name("flow", each)
    return f"{flow}.{each.payload['task_run']['task_key'].rpartition('-')[0]}" if is_task(each) else flow


def related(role: str, each: Event) -> list[str]:
    return [resource.id for resource in each.related if resource.role == role]


def related_name(role: str, each: Event) -> str:
    return next(resource["prefect.resource.name"] for resource in each.related if resource.role == role)


def report(flow_run_id: UUID) -> None:
    """Send the events of a run of the pipeline that has ended, where OpenLineage is switched on."""
    if not openlineage.is_on():
        return
    with openlineage.spared("a run's OpenLineage events were"), get_client(sync_client=True) as api:
        events = all_events(flow_run_id, api)
        parameters = api.read_flow_run(flow_run_id).parameters
        settings = Settings(tool="prefect", source=parameters.get("source", ""))
        openlineage.emit(*run_events(last_course(events), described(events, settings)))


def all_events(flow_run_id: UUID, api: SyncPrefectClient) -> list[Event]:
    """All events of the flow run: they come in order, and one that is sent now comes after them."""
    resource = f"prefect.flow-run.{flow_run_id}"
    last = emit_event("triptych.lineage.asked", resource={"prefect.resource.id": resource})
    deadline = time.monotonic() + LAG_SECONDS
    while True:
        found = list(read(EventFilter(any_resource=EventAnyResourceFilter(id=[resource])), api))
        if time.monotonic() > deadline or any(last and each.id == last.id for each in found):
            return found
        time.sleep(0.2)


def last_course(events: Iterable[Event]) -> list[Event]:
    """The events without those up to a former end: a person has retried the flow run."""
    course = sorted(events, key=lambda each: (each.occurred, str(each.id)))
    of_whole = [each for each in course if each.event.startswith("prefect.flow-run.")]
    begun = max((each.occurred for each in of_whole if kind(each) == "RUNNING"), default=None)
    ends = [each.occurred for each in of_whole if kind(each) in ENDS and begun and each.occurred < begun]
    return [each for each in course if not ends or each.occurred > ends[-1]]


def described(events: Iterable[Event], settings: Settings) -> Describe:
    """The datasets of the pipeline's assets, from what the events of their materialization tell."""
    known = {}
    for each in sorted(events, key=lambda each: each.occurred):
        told = each.payload
        if each.event == MADE and each.resource.id.startswith("triptych://features/"):
            table = told["month"], told["sha256"], told["rows"], told["inputs"], settings
            known[each.resource.id] = openlineage.feature_table(*table)
            files = zip(told["inputs"], openlineage.source_files(told["inputs"], settings), strict=True)
            known |= {f"triptych://source/{name}": dataset for name, dataset in files}
        elif each.event == MADE:
            known[each.resource.id] = openlineage.model(told["version"], settings)
    return lambda key: known.get(key) or plain(key)
