"""The tool's distributed engine on two machines, for a session: what `--cluster` runs the months on."""

import importlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from mlflow import MlflowClient

from shared.runtime import records
from shared.runtime.cluster import BUCKET, Engine, Machine, cluster, finished
from shared.runtime.records import RunRecord
from shared.settings import Settings
from tests.conftest import TOOL

LEAD_THERE = ("MLFLOW_TRACKING_URI", "TRIPTYCH_STORE", "TRIPTYCH_LOCKS")
LOGIN = ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class OnCluster(NamedTuple):
    """Runs a month on the machines, as `run` of the tool does in this process."""

    engine: Engine
    machines: list[Machine]

    def __call__(self, month: str, settings: Settings) -> RunRecord:
        for machine in self.machines:
            records.path_of(TOOL, month, machine.folder).unlink(missing_ok=True)
        self.engine.start(month, settings)
        return finished(month, TOOL, self.machines)[0]

    def empty(self) -> None:
        """Leave nothing of the runs before: models and runs in MLflow, objects on S3, copies of these, and records."""
        env = self.machines[0].env
        mlflow = MlflowClient(env["MLFLOW_TRACKING_URI"])
        for model in mlflow.search_registered_models():
            mlflow.delete_registered_model(model.name)
        for run in mlflow.search_runs([experiment.experiment_id for experiment in mlflow.search_experiments()]):
            mlflow.delete_run(run.info.run_id)
        httpx.post(f"{env['AWS_ENDPOINT_URL']}/moto-api/reset", trust_env=False).raise_for_status()
        httpx.put(f"{env['AWS_ENDPOINT_URL']}/{BUCKET}", trust_env=False).raise_for_status()
        for machine in self.machines:
            for name in ("store", "records"):
                shutil.rmtree(machine.folder / name, ignore_errors=True)


@contextmanager
def on_cluster(folder: Path) -> Iterator[OnCluster]:
    """Run the cluster until the block ends; meanwhile this process's settings lead to its servers, too."""
    running = importlib.import_module(f"{TOOL}_impl.cluster").running
    with cluster(folder / TOOL, 2, running) as (engine, machines), pytest.MonkeyPatch.context() as patch:
        for name in (*LEAD_THERE, *LOGIN):
            patch.setenv(name, machines[0].env[name])
        yield OnCluster(engine, machines)
