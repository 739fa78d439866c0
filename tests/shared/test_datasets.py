"""MLflow's datasets: what they were made from can be told, and opened again."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow.data
import polars as pl
import pytest
from mlflow.entities import DatasetInput

from shared.contracts import Evaluation, File, Plan
from shared.lib import datasets, feature_table, store, tracking
from shared.settings import Settings

ROWS = pl.DataFrame({"origin": ["EWR", "JFK"], "distance": [1.5, None]})


def of_run(run_id: str, settings: Settings) -> dict[str, DatasetInput]:
    logged = tracking.client(settings).get_run(run_id).inputs.dataset_inputs
    return {each.dataset.name: each for each in logged}


def tags(logged: DatasetInput) -> dict[str, str]:
    return {tag.key: tag.value for tag in logged.tags}


def rows_and_columns(logged: DatasetInput) -> tuple[int, list[str]]:
    columns = json.loads(logged.dataset.schema)["mlflow_colspec"]
    return json.loads(logged.dataset.profile)["num_rows"], [column["name"] for column in columns]


def test_source_files_are_told_with_rows_columns_context_and_whole_digest(
    evaluated: Evaluation, settings: Settings
) -> None:
    logged, inputs = of_run(evaluated.run_id, settings), evaluated.features.inputs

    assert set(inputs) < set(logged)
    for name, sha256 in inputs.items():
        lines = (settings.store / store.path_of(name, sha256)).read_text("utf-8").splitlines()
        assert rows_and_columns(logged[name]) == (len(lines) - 1, lines[0].split(","))
        assert logged[name].dataset.digest == sha256[:36]
        context = "evaluation" if evaluated.month in name else "training"
        assert tags(logged[name]) == {"mlflow.data.context": context, "sha256": sha256}


def test_rows_of_the_month_are_a_dataset_of_the_run(evaluated: Evaluation, settings: Settings) -> None:
    file, target = evaluated.features.file, feature_table.target_rows(evaluated.features, settings)

    logged = of_run(evaluated.run_id, settings)[f"{file.name} evaluation"]

    assert rows_and_columns(logged) == (target.height, target.columns)
    assert (logged.dataset.digest, tags(logged)["sha256"]) == (file.sha256[:36], file.sha256)
    assert tags(logged)["mlflow.data.context"] == "evaluation"


def test_source_of_a_dataset_is_the_file_itself(evaluated: Evaluation, settings: Settings) -> None:
    for logged in of_run(evaluated.run_id, settings).values():
        path = Path(mlflow.data.get_source(logged.dataset).load())

        assert store.sha256(path.read_bytes()) == tags(logged)["sha256"]


def test_dates_are_told_without_a_warning(planned: Plan, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    rows = feature_table.window_rows(planned.features, settings)
    assert "date" in rows.columns

    datasets.part(planned.features, rows, "training", settings)

    assert caplog.text == ""


def test_runs_may_log_the_same_new_dataset_at_once(settings: Settings) -> None:
    client, experiment = tracking.client(settings), tracking.experiment_id(settings)
    runs = [client.create_run(experiment).info.run_id for _ in range(4)]
    together = threading.Barrier(len(runs))

    def log(run: str, digest: str) -> None:
        file = File(name="features", path="features", sha256=digest)
        together.wait()
        datasets.log(run, [datasets.dataset("features", file, ROWS, "training", settings)], settings)

    with ThreadPoolExecutor(len(runs)) as pool:
        for n in range(20):
            list(pool.map(log, runs, [f"{n}"] * len(runs)))

    logged = [tracking.client(settings).get_run(run).inputs.dataset_inputs for run in runs]
    assert [len(each) for each in logged] == [20] * len(runs)
