"""Airflow undoes nothing that a task has done: that the champion goes on serving is the work of the deploy stage."""

from pathlib import Path

import polars as pl

from shared.settings import Settings
from tests.live.airflow import InProcess
from tests.scenario import Scenario


def test_r9_rollback(in_process: InProcess, home: Path, scenario: Scenario) -> None:
    from airflow_impl.pipeline import late_flights_dag
    from shared.lib import registry, serving, tracking
    from shared.lib.feature_table import FEATURE_COLUMNS

    settings = Settings(tool="airflow")
    first = in_process.pipeline(min_rows=1000, families=("logistic",))  # one airport has as many: a weaker champion
    in_process.pipeline(families=("logistic",))
    registry.restore({"champion": "1"}, settings)  # somebody goes back to version 1 ...
    second = tracking.client(settings).get_model_version(settings.model_name, "2")
    (stored,) = settings.mlflow.rglob(f"{Path(second.source).name}/artifacts/model.skops")
    stored.write_bytes(b"")  # ... and version 2 rots
    failed = in_process.pipeline(families=("logistic",))

    tries = in_process.tries(failed, "deploy")
    aliases = registry.aliases(settings)
    table = max(settings.store.glob("features/*.arrow"), key=lambda path: path.stat().st_mtime)
    answer = serving.predict_once(pl.read_ipc(table).select(FEATURE_COLUMNS).head(3), registry.CHAMPION, settings)
    scenario.obvious(
        late_flights_dag.get_task("deploy").python_callable,
        success=failed.state == "success",
        own_code="the deploy stage's own except clause, as Airflow undoes nothing that a task has done",
        champion_serves=answer.version == first.champion.version,
        aliases_as_before=aliases == {"champion": "1"},
        failure_shown=failed.state == "failed" and "smoke test of version 2 failed" in failed.error,
        native_rollback=False,  # Airflow has none
        attempts=len(tries),
        state=str(tries[-1].state),
        rolled_back_by="the deploy stage's own except clause",
    )
    scenario.finding(
        f"deploy ended {tries[-1].state} at try {len(tries)} and version {answer.version} answers as before, because "
        "the stage itself puts the aliases back: Airflow has no rollback of a task."
    )
