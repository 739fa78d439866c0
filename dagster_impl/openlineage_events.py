"""OpenLineage from Dagster's event log; the events of runs and steps are built by the adapter of dagster-openlineage.

That package's own ways to send them do not keep to the standard: its storage gives all assets of a run one run id, and
no parent; its sensor needs the daemon, tells nothing of a step that is tried again and gives no error. Neither tells
what an asset was made from. So the log is translated when a run has ended, and what lacks is added here.
"""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

import dagster as dg
from upath import UPath

from dagster_impl.lineage import MADE_FROM, facts, made_from
from dagster_impl.progress import error_message
from shared.contracts import Features
from shared.runtime import openlineage
from shared.runtime.openlineage import Dataset
from shared.settings import Settings

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

Type = dg.DagsterEventType
Datasets = tuple[list[Dataset], list[Dataset]]
Describe = Callable[[dg.AssetMaterialization], Datasets]

# The adapter's method for each of Dagster's events. A step that is skipped, or was never begun, is no run.
RUN = {
    Type.RUN_START: "start_pipeline",
    Type.RUN_SUCCESS: "complete_pipeline",
    Type.RUN_FAILURE: "fail_pipeline",
    Type.RUN_CANCELED: "cancel_pipeline",
}
STEP = {
    Type.STEP_START: "start_step",
    Type.STEP_RESTARTED: "start_step",
    Type.STEP_SUCCESS: "complete_step",
    Type.STEP_FAILURE: "fail_step",
    Type.STEP_UP_FOR_RETRY: "fail_step",
}

log = logging.getLogger(__name__)


def by_keys(made: dg.AssetMaterialization) -> Datasets:
    """The assets that this one was made from, as its tags name them, and the asset itself."""
    keys = [tag.removeprefix(MADE_FROM) for tag in made.tags or {} if tag.startswith(MADE_FROM)]
    sources = [Dataset(openlineage.namespace(), key) for key in keys]
    return sources, [Dataset(openlineage.namespace(), made.asset_key.to_user_string())]


def run_events(entries: Iterable[dg.EventLogEntry], describe: Describe = by_keys) -> "Iterator[RunEvent]":
    """A run's log in OpenLineage's words; `describe` tells what was read and written for a materialization."""
    course = Course(describe)
    for entry in entries:
        event = entry.dagster_event
        if event and event.event_type in RUN:
            yield from course.of_run(entry, event)
        elif event and event.event_type in STEP:
            yield course.of_step(entry, event)
        elif event and event.step_key:
            course.told[event.step_key].append(event)


class Course:
    """What is under way in a run, and what each step has told since it began."""

    def __init__(self, describe: Describe) -> None:
        from dagster_openlineage import OpenLineageAdapter

        self.describe = describe
        self.built: list[RunEvent] = []
        collector = SimpleNamespace(emit=self.built.append)
        self.adapter = OpenLineageAdapter(namespace=openlineage.namespace(), emitter=collector)
        self.told: dict[str, list[dg.DagsterEvent]] = defaultdict(list)
        self.tries: Counter[str] = Counter()
        self.begun: list[str] = []

    def of_run(self, entry: dg.EventLogEntry, event: dg.DagsterEvent) -> "Iterator[RunEvent]":
        for step in self.begun:  # what is left when a process was killed
            yield aborted(self.step(entry, step, "fail_step"))
        self.begun = []
        getattr(self.adapter, RUN[event.event_type])(entry.job_name, entry.run_id, entry.timestamp)
        yield with_error(self.built.pop(), error_of(event) if event.event_type == Type.RUN_FAILURE else None)

    def of_step(self, entry: dg.EventLogEntry, event: dg.DagsterEvent) -> "RunEvent":
        step, method = str(event.step_key), STEP[event.event_type]
        if method == "start_step":
            self.tries[step] += 1
            self.begun.append(step)
            self.told[step] = []
            return self.step(entry, step, method)
        self.begun.remove(step)
        if failed := failed_expectation(self.told[step]):
            return with_error(self.step(entry, step, "fail_step"), failed)
        ended = self.step(entry, step, method)
        return self.with_datasets(ended, step) if method == "complete_step" else with_error(ended, error_of(event))

    def step(self, entry: dg.EventLogEntry, step: str, method: str) -> "RunEvent":
        """The adapter's event; each try is a run of its own, and all steps of a fan-out are runs of one job."""
        run_id = str(uuid5(UUID(entry.run_id), f"{step} {self.tries[step]}"))
        job = re.sub(r"\[.*\]", "", step)
        getattr(self.adapter, method)(entry.job_name, entry.run_id, entry.timestamp, run_id, job)
        return self.built.pop()

    def with_datasets(self, ended: "RunEvent", step: str) -> "RunEvent":
        for event in self.told[step]:
            if event.event_type == Type.ASSET_MATERIALIZATION:
                read, written = self.describe(event.event_specific_data.materialization)
                ended.inputs += [dataset.read() for dataset in read]
                ended.outputs += [dataset.written() for dataset in written]
        return ended


def aborted(event: "RunEvent") -> "RunEvent":
    from openlineage.client.event_v2 import RunState

    event.eventType = RunState.ABORT
    return event


def with_error(event: "RunEvent", message: str | None) -> "RunEvent":
    from dagster_openlineage.facets import build_error_message_facet

    if message:
        event.run.facets["errorMessage"] = build_error_message_facet(message=message)
    return event


def error_of(event: dg.DagsterEvent) -> str:
    error = getattr(event.event_specific_data, "error", None)
    return error_message(error) if error else str(event.message)


def failed_expectation(told: Iterable[dg.DagsterEvent]) -> str | None:
    """What a candidate's training says in place of its output, when it has failed."""
    results = [
        event.event_specific_data.expectation_result
        for event in told
        if event.event_type == Type.STEP_EXPECTATION_RESULT
    ]
    return next((result.description or result.label for result in results if not result.success), None)


def report(run_id: str, dagster: dg.DagsterInstance) -> None:
    """Send the events of a run that has ended, where OpenLineage is switched on."""
    run = dagster.get_run_by_id(run_id)
    if run is None or not openlineage.is_on():
        return
    with openlineage.spared("a run's OpenLineage events were"):
        asked = run.run_config.get("resources", {}).get("settings", {}).get("config", {})
        pipeline = Pipeline(Settings(tool="dagster", source=asked.get("source", "")), dagster)
        openlineage.emit(*run_events(dagster.all_logs(run_id), pipeline.describe))


class Pipeline:
    """What the pipeline's assets are in OpenLineage: of all that Dagster knows, the source, the features, the model."""

    def __init__(self, settings: Settings, dagster: dg.DagsterInstance) -> None:
        self.settings, self.dagster = settings, dagster

    def describe(self, made: dg.AssetMaterialization) -> Datasets:
        name = made.asset_key.to_user_string()
        if name == "feature_table":
            batches = [facts(record)["inputs"] for record in self.origins(made, "batch")]
            files = [file for inputs in batches for file in openlineage.source_files(inputs, self.settings)]
            return files, [self.features(made)]
        if name == "champion":
            tables = [self.features(record.asset_materialization) for record in self.origins(made, "feature_table")]
            return tables, [openlineage.model(made.metadata["version"].value, self.settings)]
        return [], []

    def origins(self, made: dg.AssetMaterialization, asset: str) -> list[dg.EventLogRecord]:
        """The asset's materializations that this one goes back to, by what Dagster knows."""
        found = {record.storage_id: record for record in made_from(made, self.dagster)}
        return [record for record in found.values() if record.asset_key == dg.AssetKey(asset)]

    def features(self, made: dg.AssetMaterialization) -> Dataset:
        handed_on = UPath(made.metadata["path"].value).read_bytes()
        return openlineage.of_features(Features.model_validate_json(handed_on), self.settings)
