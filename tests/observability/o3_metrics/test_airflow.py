"""Airflow has no page for Prometheus; it sends its metrics, by StatsD or OpenTelemetry, to what has one."""

from pathlib import Path

import pytest
from airflow.sdk import dag, task

from tests.live.airflow import CHANGED, started
from tests.prometheus import asking, needs_prometheus
from tests.scenario import Scenario

OTEL = {
    "AIRFLOW__METRICS__OTEL_ON": "True",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_METRIC_EXPORT_INTERVAL": "500",
}


@dag(dag_id="o3_obvious", schedule=None, params={"fail": False})
def obvious() -> None:
    @task
    def work(*, params: dict[str, bool]) -> None:
        if params["fail"]:
            raise ValueError("the source is broken")

    work()


obvious()


@pytest.mark.live
@pytest.mark.own_engine
@needs_prometheus
def test_o3_metrics(scenario: Scenario, tmp_path: Path) -> None:
    from tests.observability.o3_metrics import rule
    from tests.observability.o3_metrics.collector import collecting

    folder = tmp_path / "engine"
    folder.mkdir()
    with (
        collecting() as url,
        started(folder, CHANGED | OTEL | {"OTEL_EXPORTER_OTLP_ENDPOINT": url}, dags=Path(__file__)) as live,
        asking({"obvious": f"{live.url}/metrics", "idiom": f"{url}/metrics"}, tmp_path / "seen", rule.RULES) as seen,
    ):
        states = [live.wait(live.start("o3_obvious", {"fail": False}))]
        before = rule.counted_good_run(seen)
        states.append(live.wait(live.start("o3_obvious", {"fail": True})))
        rule.alerted(seen)
        own, sent = (rule.answers(job, "o3_obvious", before, seen) for job in ("obvious", "idiom"))
        (count,) = [value for _, value in seen.query('airflow_dagrun_duration_failed_count{dag_id="o3_obvious"}')]
        answer = live.http.get(f"{live.url}/metrics")
    assert states == ["success", "failed"]
    scenario.obvious(obvious, success=states[1] == "success", **own)
    scenario.idiom(obvious, success=states[1] == "success", **sent)
    scenario.finding(
        f"The API server has no page of metrics: it answers {answer.status_code} with "
        f"{answer.headers['content-type']} at /metrics, as for any page of its UI. But Airflow sends metrics, "
        f"{sent['names']} names of which bore the Dag's id: airflow_dagrun_duration_failed_count was {count:.0f} "
        f"after the failed run. A collector shows them to Prometheus, which from version 3 on takes OTLP itself; "
        f"here a small one of the test stands for it."
    )
