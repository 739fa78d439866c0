"""Airflow has no page for Prometheus; it sends its metrics, by StatsD or OpenTelemetry, to what has one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk import dag, task

from tests.live.airflow import Engine
from tests.prometheus import asking, needs_prometheus
from tests.scenario import Scenario

OTEL = {
    "AIRFLOW__METRICS__OTEL_ON": "True",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_METRIC_EXPORT_INTERVAL": "500",
}
RUNS = "from tests.observability.o3_metrics.test_airflow import runs; runs()"


@dag(dag_id="o3_obvious", schedule=None, params={"fail": False})
def obvious() -> None:
    @task
    def work(*, params: dict[str, bool]) -> None:
        if params["fail"]:
            raise ValueError("the source is broken")

    work()


obvious_dag = obvious()


def runs() -> None:
    """Run the Dag for each line that comes, in a process that sends its metrics."""
    from airflow._shared.observability.metrics import stats
    from airflow.configuration import conf
    from airflow.observability.metrics.stats_utils import get_stats_factory

    # What the scheduler does at its start; `dag.test()` alone sends no metric of the run.
    stats.initialize(factory=get_stats_factory(), export_legacy_names=conf.getboolean("metrics", "legacy_names_on"))
    for line in sys.stdin:
        print("ended:", obvious_dag.test(run_conf={"fail": line == "bad\n"}).state, flush=True)


def run(process: subprocess.Popen[str], which: str) -> str:
    """Ask for a run; its state at its end."""
    print(which, file=process.stdin, flush=True)
    return next(line.split()[1] for line in process.stdout if line.startswith("ended:"))


@pytest.mark.live
@needs_prometheus
def test_o3_metrics(live: Engine, scenario: Scenario, tmp_path: Path) -> None:
    from tests.observability.o3_metrics import rule
    from tests.observability.o3_metrics.collector import collecting

    pages, command = {"obvious": f"{live.url}/metrics"}, [sys.executable, "-c", RUNS]
    with collecting() as url, asking(pages | {"idiom": f"{url}/metrics"}, tmp_path / "seen", rule.RULES) as seen:
        env = {**os.environ, **OTEL, "OTEL_EXPORTER_OTLP_ENDPOINT": url}
        states = [live.wait(live.start("o3_obvious", {"fail": fail})) for fail in (False, True)]
        with subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            states.append(run(process, "good"))
            before = rule.counted_good_run(seen)
            states.append(run(process, "bad"))
            rule.alerted(seen)
            own, sent = (rule.answers(job, "o3_obvious", before, seen) for job in ("obvious", "idiom"))
            process.stdin.close()
        (count,) = [value for _, value in seen.query('airflow_dagrun_duration_failed_count{dag_id="o3_obvious"}')]
    assert states == ["success", "failed"] * 2
    scenario.obvious(obvious, success=states[1] == "success", **own)
    scenario.idiom(obvious, success=states[3] == "success", **sent)
    answer = live.http.get(f"{live.url}/metrics")
    scenario.finding(
        f"The API server has no page of metrics: it answers {answer.status_code} with "
        f"{answer.headers['content-type']} at /metrics, as for any page of its UI. But Airflow sends metrics, "
        f"{sent['names']} names of which bore the Dag's id: airflow_dagrun_duration_failed_count was {count:.0f} "
        f"after the failed run. A collector shows them to Prometheus, which from version 3 on takes OTLP itself; "
        f"here a small one of the test stands for it, and for the scheduler dag.test() with its start of the "
        f"metrics."
    )
