"""OpenLineage: the names and facets of the pipeline's datasets, and the events that tell what was made from what.

Off unless one of the client's standard variables says where events go; only then is the client loaded.
"""

import logging
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from shared.contracts import Contract, Deployment, Features
from shared.settings import Settings

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent

PRODUCER = "urn:triptych"

log = logging.getLogger(__name__)


def is_on() -> bool:
    """Whether OPENLINEAGE_URL, OPENLINEAGE_CONFIG or an OPENLINEAGE__TRANSPORT__… says where events go."""
    if os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    places = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT")
    return any(value and name.startswith(places) for name, value in os.environ.items())


def namespace() -> str:
    """The namespace of all jobs."""
    return os.environ.get("OPENLINEAGE_NAMESPACE") or "default"


@dataclass(frozen=True)
class Dataset:
    """A dataset by its name in OpenLineage, with facets: those of its own, and those of it as input or output."""

    namespace: str
    name: str
    facets: Mapping[str, Any] = field(default_factory=dict)
    of_input: Mapping[str, Any] = field(default_factory=dict)
    of_output: Mapping[str, Any] = field(default_factory=dict)

    def read(self) -> "InputDataset":
        from openlineage.client.event_v2 import InputDataset

        return InputDataset(self.namespace, self.name, facets=dict(self.facets), inputFacets=dict(self.of_input))

    def written(self) -> "OutputDataset":
        from openlineage.client.event_v2 import OutputDataset

        return OutputDataset(self.namespace, self.name, facets=dict(self.facets), outputFacets=dict(self.of_output))


def dataset_name(url: str) -> tuple[str, str]:
    """Namespace and name of a URL or path: (`s3://bucket`, `a/b.csv`), or (`file`, `/a/b.csv`); no user or password."""
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        return "file", url2pathname(parts.path) if parts.scheme else url
    host = parts.netloc.rpartition("@")[2]
    path = parts.path.lstrip("/")
    return (f"{parts.scheme}://{host}", path) if path else (parts.scheme, host)


def event(
    state: str,
    when: datetime,
    run_id: str,
    job: str,
    parent: tuple[str, str] | None = None,
    read: Iterable[Dataset] = (),
    written: Iterable[Dataset] = (),
    error: str | None = None,
) -> "RunEvent":
    """A run's START, COMPLETE, FAIL or ABORT; `parent` is the run id and the job that the run is part of."""
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import error_message_run, parent_run

    facets: dict[str, Any] = {}
    if parent:
        parent_id, parent_job = parent
        facets["parent"] = parent_run.ParentRunFacet(
            run=parent_run.Run(runId=parent_id), job=parent_run.Job(namespace(), parent_job), producer=PRODUCER
        )
    if error is not None:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(error, "python", producer=PRODUCER)
    return RunEvent(
        eventType=RunState(state),
        eventTime=when.astimezone(UTC).isoformat(),
        run=Run(run_id, facets),
        job=Job(namespace(), job),
        inputs=[dataset.read() for dataset in read],
        outputs=[dataset.written() for dataset in written],
        producer=PRODUCER,
    )


def emit(*events: "RunEvent") -> None:
    """Send the events, if that can be done."""
    for each in events:
        with spared(f"an OpenLineage event of {each.job.name} was"):
            client().emit(each)


@contextmanager
def spared(what: str) -> Iterator[None]:
    """Let what goes wrong with the events cost a warning, and never the run."""
    try:
        yield
    except Exception as error:  # each of the client's transports raises other exceptions
        log.warning("%s not sent (%s: %s); check where events go", what, type(error).__name__, error)


@cache
def client() -> "OpenLineageClient":
    from openlineage.client import OpenLineageClient

    return OpenLineageClient()


@contextmanager
def reported(
    job: str, settings: Settings, run_id: str | None = None, parent: tuple[str, str] | None = None
) -> Iterator[list[Contract]]:
    """Tell when the block starts and how it ends; it appends the contracts that say what was read and written."""
    run_id = run_id or str(uuid.uuid4())
    made: list[Contract] = []
    if not is_on():
        yield made
        return
    emit(event("START", datetime.now(UTC), run_id, job, parent))
    try:
        yield made
    except BaseException as error:
        state = "FAIL" if isinstance(error, Exception) else "ABORT"
        emit(event(state, datetime.now(UTC), run_id, job, parent, error=str(error) or type(error).__name__))
        raise
    ended, read, written = datetime.now(UTC), list[Dataset](), list[Dataset]()
    with spared(f"the datasets of {job} were"):
        read, written = datasets(made, settings)
    emit(event("COMPLETE", ended, run_id, job, parent, read, written))


def datasets(made: list[Contract], settings: Settings) -> tuple[list[Dataset], list[Dataset]]:
    """What was read and what was written by the stage that has made the features, or of them the deployment."""
    match made:
        case [Features() as features]:
            return source_files(features.inputs, settings), [of_features(features, settings)]
        case [Features() as features, Deployment() as deployment]:
            return [of_features(features, settings)], [model(deployment.version, settings)]
    return [], []


def source_files(inputs: Mapping[str, str], settings: Settings) -> list[Dataset]:
    """The source's files, from the sha256 of each by its name; what is in them is read from the store's copies."""
    return [source_file(name, sha256, settings) for name, sha256 in inputs.items()]


def source_file(name: str, sha256: str, settings: Settings) -> Dataset:
    from openlineage.client.facet_v2 import data_quality_metrics_input_dataset as quality

    from shared.lib import tables

    frame = tables.read(stored(name, sha256, settings), tables.table_of(name))
    nulls = {column.name: quality.ColumnMetrics(nullCount=column.null_count()) for column in frame.iter_columns()}
    metrics = quality.DataQualityMetricsInputDatasetFacet(nulls, rowCount=frame.height, producer=PRODUCER)
    facets = {"schema": schema(frame.schema), "version": version(sha256)}
    return Dataset(*source_name(name, settings), facets, of_input={"dataQualityMetrics": metrics})


def source_name(name: str, settings: Settings) -> tuple[str, str]:
    from shared.lib.source import Source

    return dataset_name(f"{Source(settings.source).base}/{name}")


def stored(name: str, sha256: str, settings: Settings) -> Path:
    """Where the file of the store is on this machine."""
    from shared.lib import store

    return store.local(store.stored(name, sha256), settings)


def of_features(features: Features, settings: Settings) -> Dataset:
    return feature_table(features.month, features.file.sha256, features.rows, features.inputs, settings)


def feature_table(month: str, sha256: str, rows: int, inputs: Iterable[str], settings: Settings) -> Dataset:
    """A month's features: one dataset, of which each file in the store is a version; `inputs` are the source files."""
    import polars as pl
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    from shared.lib import store

    name = f"features/{month}.arrow"
    path = stored(name, sha256, settings)
    facets = {
        "schema": schema(pl.read_ipc_schema(path)),
        "version": version(sha256),
        "columnLineage": column_lineage(inputs, settings),
    }
    size = statistics.OutputStatisticsOutputDatasetFacet(rows, path.stat().st_size, producer=PRODUCER)
    return Dataset(*dataset_name(store.place(name, settings)), facets, of_output={"outputStatistics": size})


def model(number: str, settings: Settings) -> Dataset:
    """The registered model in MLflow; OpenLineage has no naming convention for it."""
    return Dataset("mlflow", settings.model_name, {"version": version(number)})


def schema(columns: Mapping[str, Any]) -> Any:
    """The facet of a table's columns and polars types."""
    from openlineage.client.facet_v2 import schema_dataset as facet

    fields = [facet.SchemaDatasetFacetFields(name, str(dtype)) for name, dtype in columns.items()]
    return facet.SchemaDatasetFacet(fields, producer=PRODUCER)


def version(identity: str) -> Any:
    from openlineage.client.facet_v2 import dataset_version_dataset as facet

    return facet.DatasetVersionDatasetFacet(identity, producer=PRODUCER)


def column_lineage(inputs: Iterable[str], settings: Settings) -> Any:
    """The facet that leads from each column of the features to those of the source files that it comes from."""
    from openlineage.client.facet_v2 import column_lineage_dataset as facet

    from shared.lib import tables
    from shared.lib.feature_table import ORIGINS

    files = {name: source_name(name, settings) for name in inputs}

    def fields_of(origin: str) -> list[facet.InputField]:
        table, column = origin.split(".")
        return [facet.InputField(*files[name], column) for name in files if tables.table_of(name) == table]

    fields = {
        name: facet.Fields([each for origin in origins for each in fields_of(origin)])
        for name, origins in ORIGINS.items()
    }
    return facet.ColumnLineageDatasetFacet(fields, producer=PRODUCER)
