"""The metrics of made-up runs, and that rules and dashboard know all metrics by name."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from shared.runtime import exporter, monitor, prometheus
from shared.runtime.metrics import METRICS, Run
from shared.runtime.records import Brier, EvaluationRecord, StageRecord
from shared.stages.validate import PSI_LIMIT
from tests.prometheus import needs_prometheus, promtool
from tools import grafana

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
ALERTS = prometheus.FOLDER / "alerts.yml"


def stage(
    name: str, key: str | None = None, state: str = "success", attempts: int = 1, seconds: float = 2
) -> StageRecord:
    started = None if state == "skipped" else NOON
    ended = started and started + timedelta(seconds=seconds)
    return StageRecord(stage=name, key=key, state=state, attempts=attempts, started=started, ended=ended)


def run(state: str, *stages: StageRecord, minutes: float = 0, **models: object) -> Run:
    ended = NOON + timedelta(minutes=minutes)
    return Run(state=state, ended=ended, stages=stages, **({"drift": {}, "evaluation": None} | models))


def evaluation(decision: str, challenger: float, champion: float | None) -> EvaluationRecord:
    old = None if champion is None else Brier(brier=champion)
    new, base_rate = Brier(brier=challenger), Brier(brier=0.2)
    return EvaluationRecord(challenger=new, champion=old, base_rate=base_rate, decision=decision)


def samples(text: bytes) -> dict[str, float]:
    """`name{label="value", …}` to value; the label `tool` is left out, as it is the same everywhere."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            assert sample.labels.pop("tool") == "airflow"
            labels = ",".join(value for _, value in sorted(sample.labels.items()))
            found[f"{sample.name}[{labels}]" if labels else sample.name] = sample.value
    return found


def shown(*runs: Run) -> bytes:
    return exporter.page(
        exporter.Exporter("airflow", lambda: [(str(id(one)), one.ended, lambda one=one: one) for one in runs])
    )


GOOD = run(
    "success",
    stage("ingest", attempts=3, seconds=7),
    stage("train", "EWR/logistic"),
    stage("train", "JFK/logistic", state="failed", seconds=20),
    drift={"weather.temp": 0.3},
    evaluation=evaluation("promote", 0.15, None),
)
BAD = run("failed", stage("validate", state="failed"), stage("features", state="skipped", attempts=0), minutes=9)


def test_metrics_tell_of_runs_stages_data_and_model() -> None:
    found = samples(shown(GOOD, BAD))
    expected = {
        "triptych_runs_total[success]": 1,
        "triptych_runs_total[failed]": 1,
        "triptych_last_run_timestamp_seconds[failed]": (NOON + timedelta(minutes=9)).timestamp(),
        "triptych_stage_attempts_total[ingest]": 3,
        "triptych_stage_attempts_total[train]": 2,
        "triptych_stage_duration_seconds_sum[train]": 22,
        "triptych_stage_duration_seconds_count[train]": 2,
        "triptych_stage_duration_seconds_bucket[3.0,train]": 1,
        "triptych_stage_duration_seconds_bucket[30.0,train]": 2,
        "triptych_candidates_total[success]": 1,
        "triptych_candidates_total[failed]": 1,
        "triptych_data_quality_failures_total": 1,
        "triptych_feature_drift_psi[weather.temp]": 0.3,
        "triptych_champion_brier_score": 0.15,
        "triptych_base_rate_brier_score": 0.2,
    }
    assert {name: found[name] for name in expected} == expected
    assert "triptych_stage_attempts_total[features]" not in found


def test_every_metric_is_declared_and_shown() -> None:
    families = {line.split()[2] for line in shown(GOOD).decode().splitlines() if line.startswith("# TYPE")}
    assert families == set(METRICS)


def test_a_tool_without_runs_shows_zeros_instead_of_nothing() -> None:
    found = samples(shown())
    assert found["triptych_runs_total[failed]"] == found["triptych_last_run_timestamp_seconds[failed]"] == 0


@pytest.mark.parametrize(
    ("decision", "champion", "expected"), [("promote", 0.16, 0.15), ("keep", 0.14, 0.14), ("keep", None, 0.17)]
)
def test_champion_is_the_model_in_service_after_the_run(decision: str, champion: float | None, expected: float) -> None:
    before = run("success", evaluation=evaluation("promote", 0.17, None))
    last = run("success", minutes=1, evaluation=evaluation(decision, 0.15, champion))
    assert samples(shown(last, before))["triptych_champion_brier_score"] == expected


def test_a_challenger_that_could_not_be_deployed_is_no_champion() -> None:
    failed = run("failed", stage("deploy", state="failed"), evaluation=evaluation("promote", 0.15, None))
    assert "triptych_champion_brier_score" not in samples(shown(failed))


def test_counters_stay_when_a_run_is_deleted_and_count_what_a_resumed_run_repeats_once() -> None:
    known = [("1", BAD)]
    reader = exporter.Exporter("airflow", lambda: [(name, one.ended, lambda one=one: one) for name, one in known])
    assert samples(exporter.page(reader))["triptych_runs_total[failed]"] == 1
    known[:] = [("1", run("success", *BAD.stages, stage("deploy"), minutes=10))]  # the same run, resumed
    found = samples(exporter.page(reader))
    assert (found["triptych_runs_total[failed]"], found["triptych_runs_total[success]"]) == (1, 1)
    assert found["triptych_stage_attempts_total[validate]"] == 1


def metrics_in(expressions: Sequence[str]) -> set[str]:
    """The metrics that PromQL expressions name, without what a histogram adds to its name."""
    return {
        re.sub("_(bucket|count|sum)$", "", name) for each in expressions for name in re.findall(r"triptych_\w+", each)
    }


def test_rules_and_dashboard_name_metrics_that_exist_and_the_dashboard_shows_all() -> None:
    rules = [rule["expr"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    assert metrics_in(rules) <= set(METRICS)
    assert metrics_in([panel[3] for panel in grafana.PANELS]) == set(METRICS)


def test_drift_fires_where_validate_warns() -> None:
    assert f"triptych_feature_drift_psi > {PSI_LIMIT}\n" in ALERTS.read_text()


def test_dashboard_is_the_one_that_the_command_makes() -> None:
    assert json.loads(grafana.DASHBOARD.read_text("utf-8")) == grafana.dashboard()


def test_monitor_without_prometheus_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match=r"^error: Prometheus is not installed; .* apt-get install prometheus$"):
        monitor.main("dagster", "/server_info")


@needs_prometheus
def test_promtool_finds_no_fault_with_names_rules_and_configuration(tmp_path: Path) -> None:
    promtool("check", "metrics", text=shown(GOOD, BAD).decode())
    promtool("test", "rules", prometheus.FOLDER / "alerts_test.yml")
    config = tmp_path / "prometheus.yml"
    config.write_text(prometheus.configuration("http://127.0.0.1:9090/triptych/metrics", "15s"))
    assert "4 rules found" in promtool("check", "config", config)
