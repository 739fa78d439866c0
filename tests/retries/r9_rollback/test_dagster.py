"""Dagster knows no rollback: the step fails, and that the champion serves on is the pipeline's own work."""

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import dagster as dg

from tests.live.dagster import Pipeline, attempts, states
from tests.scenario import Scenario


def test_r9_rollback(pipeline: Pipeline, scenario: Scenario) -> None:
    import polars as pl

    from dagster_impl.defs.assets import champion
    from shared.lib import registry, serving, tracking
    from shared.lib.feature_table import FEATURE_COLUMNS
    from shared.stages import deploy

    settings = pipeline.settings()
    for min_rows in (1000, 100):  # other data, so another version
        pipeline(min_rows=min_rows)
    assert registry.aliases(settings)["champion"] == "2"
    before = {"champion": "1"}
    registry.restore(before, settings)  # an operator goes back to version 1, and the file of version 2 is damaged
    folder = tracking.client(settings).get_model_version_download_uri(settings.model_name, "2")
    (Path(url2pathname(urlsplit(folder).path)) / "model.skops").write_bytes(b"rotten")

    record = pipeline()
    run = pipeline.instance.get_run_by_id(record.run_id)
    (failure,) = pipeline.instance.all_logs(record.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    (table,) = settings.store.rglob("*.arrow")
    flights = pl.read_ipc(table).select(FEATURE_COLUMNS).head(5)
    served = serving.predict_once(flights, registry.CHAMPION, settings).version
    tried, after = attempts(pipeline.instance, record.run_id)["champion"], registry.aliases(settings)
    scenario.obvious(
        champion.op,
        deploy.deploy,
        success=run.is_success,
        own_code="the deploy stage's own except clause, as Dagster undoes nothing that a step has done",
        champion_serves=served == "1",
        aliases_as_before=after == before,
        failure_shown=run.status == dg.DagsterRunStatus.FAILURE and "smoke test of version 2 failed" in str(failure),
        native_rollback=False,  # there is none: Dagster's hooks come after a step has ended, and undo nothing
        attempts=tried,
        state=states(pipeline.instance, record.run_id)["champion"],
        rolled_back_by="deploy's own `except` clause",
    )
    scenario.finding(
        f"The step `champion` fails after {tried} attempt, and the run with it; version {served} answers as before, "
        "because the stage itself puts the aliases back: Dagster has no rollback of a step."
    )
