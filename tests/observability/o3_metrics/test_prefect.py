"""Prefect's server has a page for Prometheus, but it does not count runs; an exporter asks the API."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
from prefect import flow
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prometheus_client.core import CounterMetricFamily, Metric, SummaryMetricFamily

from tests.live import prefect
from tests.observability.o3_metrics import rule
from tests.prometheus import asking, needs_prometheus, shown
from tests.scenario import Scenario


@flow(name="o3_metrics")
def obvious(fail: bool) -> None:
    if fail:
        raise ValueError("the source is broken")


def idiom() -> Iterator[Metric]:
    """What an exporter shows of the flow's runs."""
    with prefect.client() as api:
        runs = api.read_flow_runs(flow_filter=FlowFilter(name=FlowFilterName(any_=["o3_metrics"])))
    count = CounterMetricFamily("prefect_flow_runs", "Runs by state.", labels=["flow_name", "state"])
    for state, number in Counter(run.state_name for run in runs).items():
        count.add_metric(["o3_metrics", state], number)
    took = SummaryMetricFamily("prefect_flow_run_duration_seconds", "Run times.", labels=["flow_name"])
    took.add_metric(["o3_metrics"], len(runs), sum(run.total_run_time.total_seconds() for run in runs))
    yield from (count, took)


@needs_prometheus
def test_o3_metrics(results: Path, scenario: Scenario, tmp_path: Path) -> None:
    page = f"{prefect.server()}/metrics"
    with shown(idiom) as url, asking({"obvious": page, "idiom": url}, tmp_path / "seen", rule.RULES) as seen:
        good = obvious(False, return_state=True)
        before = rule.counted_good_run(seen)
        bad = obvious(True, return_state=True)
        rule.alerted(seen)
        assert (good.is_completed(), bad.is_failed()) == (True, True)
        own, exported = (rule.answers(job, "o3_metrics", before, seen) for job in ("obvious", "idiom"))
    scenario.obvious(obvious, success=bad.is_completed(), **own)
    exporter = "an exporter, a program beside Prefect that asks its API; PrefectHQ has one in a repository of its own"
    scenario.idiom(obvious, idiom, success=bad.is_completed(), own_code=exporter, **exported)
    lines = httpx.get(page, timeout=60).text.splitlines()
    names = {line.split()[2] for line in lines if line.startswith("# TYPE prefect_")}
    names = {name for name in names if not name.endswith("_created")}
    scenario.finding(
        f"With PREFECT_SERVER_METRICS_ENABLED the server has a page, /api/metrics, but its {len(names)} metrics are "
        f"of the server itself (workers' channels, events, logs) and {own['names']} say which flow they are about; "
        f"with an exporter that asks the API for the flow's runs the alert fires."
    )
