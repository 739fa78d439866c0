"""The metrics of real runs agree with their records, and a real Prometheus raises the alerts that belong to them."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient

from shared.runtime import prometheus, servers
from shared.runtime.exporter import Exporter
from shared.runtime.records import RunRecord
from shared.settings import Settings
from shared.stages.ingest import ingest
from shared.stages.validate import PSI_LIMIT, validate
from tests.conftest import TOOL
from tests.live.watch import until
from tests.prometheus import Prometheus, needs_prometheus, shown
from tools import grafana


@pytest.fixture
def broken(source: Path, tmp_path: Path) -> Path:
    """A source whose June breaks a rule."""
    folder = tmp_path / "broken"
    shutil.copytree(source, folder)
    flights = folder / "flights" / "2013-06.csv"
    flights.write_text(flights.read_text().replace(",1400,", ",-1400,"))
    return folder


@pytest.fixture
def exporter(both: SimpleNamespace) -> Iterator[Exporter]:
    """The tool's exporter, at work in this process and in the home of this test."""
    ended = import_module(f"{TOOL}_impl.metrics").ended
    if TOOL == "dagster":
        ended = partial(ended, import_module("dagster_impl.run").engine()[1])
    with results_at_hand():
        yield Exporter(TOOL, ended)


def results_at_hand() -> AbstractContextManager[None]:
    """Prefect reads results only in the folder that its settings name; a process of the home has them from there."""
    if TOOL != "prefect":
        return nullcontext()
    from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

    from prefect_impl.home import ensure_server

    ensure_server()
    return temporary_settings({PREFECT_LOCAL_STORAGE_PATH: Settings(tool=TOOL).store / "results"})


def values(exporter: Exporter) -> dict[tuple[str, ...], float]:
    """Name and labels of each sample to its value; the runs of other tests are among them."""
    found = {}
    for family in exporter.collect():
        for sample in family.samples:
            assert sample.labels["tool"] == TOOL
            found[(sample.name, *(value for name, value in sample.labels.items() if name != "tool"))] = sample.value
    return found


def stages(*runs: RunRecord) -> Iterator[tuple[str, str, int, float]]:
    """Stage, state, attempts and seconds of each instance that was begun."""
    for stage in (stage for run in runs for stage in run.stages if stage.started and stage.ended):
        yield stage.stage, stage.state, stage.attempts, (stage.ended - stage.started).total_seconds()


@needs_prometheus
def test_metrics_tell_of_a_good_run_and_of_a_refused_batch_and_alerts_fire(
    both: SimpleNamespace, exporter: Exporter, source: Path, broken: Path, tmp_path: Path
) -> None:
    before = values(exporter)
    good = both.tool(families=("logistic",))
    refused = both.tool(families=("logistic",), source=str(broken))
    after = values(exporter)
    assert (good.state, refused.state) == ("success", "failed")
    rise = {name: value - before.get(name, 0) for name, value in after.items()}

    assert rise["triptych_runs_total", "success"] == rise["triptych_runs_total", "failed"] == 1
    assert rise["triptych_data_quality_failures_total",] == 1
    assert rise["triptych_candidates_total", "success"] == 3
    begun = list(stages(good, refused))
    for name in {stage for stage, *_ in begun}:
        mine = [(attempts, seconds) for stage, _, attempts, seconds in begun if stage == name]
        assert rise["triptych_stage_attempts_total", name] == sum(attempts for attempts, _ in mine)
        assert rise["triptych_stage_duration_seconds_count", name] == len(mine)
        assert rise["triptych_stage_duration_seconds_sum", name] == pytest.approx(sum(s for _, s in mine))
    assert after["triptych_last_run_timestamp_seconds", "failed"] == pytest.approx(refused.ended.timestamp(), abs=2)

    drift = validate(*ingested(source)).drift
    assert {key[1]: value for key, value in after.items() if key[0] == "triptych_feature_drift_psi"} == drift
    tracked = MlflowClient(Settings(tool=TOOL).tracking_uri).get_run(good.tracking.run_id).data.metrics
    assert after["triptych_champion_brier_score",] == tracked["challenger_brier"] == good.evaluation.challenger.brier
    assert after["triptych_base_rate_brier_score",] == tracked["base_rate_brier"]

    with (
        shown(exporter.collect) as url,
        prometheus.running(url, tmp_path / "prometheus", servers.free_port(), "1s") as address,
    ):
        seen = Prometheus(address)
        until(lambda: "RunFailed" in [alert["alertname"] for alert in seen.firing()], 60)
        shifted = {alert["column"] for alert in seen.firing() if alert["alertname"] == "FeatureDrift"}
        assert shifted == {column for column, index in drift.items() if index > PSI_LIMIT} != set()
        assert {alert["tool"] for alert in seen.firing()} == {TOOL}
        assert not [panel[0] for panel in grafana.PANELS if not seen.query(panel[3])]


def ingested(source: Path) -> tuple[object, Settings]:
    settings = Settings(source=str(source))
    return ingest("2013-06", settings), settings
