"""What a run was made from, as MLflow's datasets: the rows' columns and number, and the file that holds them."""

import polars as pl
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.polars_dataset import from_polars
from mlflow.data.sources import LocalArtifactDatasetSource  # type: ignore[attr-defined]  # MLflow makes it at import
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT
from polars import selectors

from shared.contracts import Features, File
from shared.lib import store, tables, tracking
from shared.settings import Settings

DIGEST_LENGTH = 36  # the longest that MLflow stores: the whole sha256 stands in a tag, and in the file's name
SHA256 = "sha256"


def log(run_id: str, datasets: list[DatasetInput], settings: Settings) -> None:
    """Log datasets for a run, one run at a time: if two log the same new dataset at once, MLflow fails one."""
    with tracking.setup_lock(settings):
        tracking.client(settings).log_inputs(run_id, datasets)


def source_files(features: Features, settings: Settings) -> list[DatasetInput]:
    """The source files: those of the target month are for the evaluation, the others for the training."""
    return [
        source_file(store.stored(name, sha256), "evaluation" if features.month in name else "training", settings)
        for name, sha256 in features.inputs.items()
    ]


def source_file(file: File, context: str, settings: Settings) -> DatasetInput:
    """A whole source file."""
    rows = tables.read(store.local(file, settings), tables.table_of(file.name))
    return dataset(file.name, file, rows, context, settings)


def part(features: Features, rows: pl.DataFrame, context: str, settings: Settings, origin: str = "") -> DatasetInput:
    """Rows of the features' file, all that the context uses or those of one origin airport."""
    name = " ".join(filter(None, [features.file.name, origin, context]))
    return dataset(name, features.file, rows, context, settings)


def dataset(name: str, file: File, rows: pl.DataFrame, context: str, settings: Settings) -> DatasetInput:
    """Rows of a file of the store as an MLflow dataset, whose digest is the start of the file's sha256."""
    known = rows.with_columns(selectors.date().cast(pl.Datetime))  # MLflow warns of dates that lack a time
    source = source_of(file, settings)
    described = from_polars(known, source=source, name=name, digest=file.sha256[:DIGEST_LENGTH]).to_dict()
    tags = [InputTag(MLFLOW_DATASET_CONTEXT, context), InputTag(SHA256, file.sha256)]
    return DatasetInput(Dataset(**described), tags)


def source_of(file: File, settings: Settings) -> DatasetSource:
    """Where the file is, as MLflow has it."""
    if settings.store_url:
        return resolve_dataset_source(store.place(file.path, settings))
    local: DatasetSource = LocalArtifactDatasetSource((settings.store / file.path).as_uri())
    return local
