"""Dagster has no page for Prometheus; an exporter asks its GraphQL API."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import httpx
import pytest

from tests.live.dagster import Engine
from tests.prometheus import asking, needs_prometheus, shown
from tests.scenario import Scenario

if TYPE_CHECKING:
    from prometheus_client.core import Metric

RUNS = '{ runsOrError(filter: {pipelineName: "o3_obvious"}) { ... on Runs { results { status startTime endTime }}}}'


class Source(dg.Config):
    broken: bool = False


@dg.op
def work(config: Source) -> None:
    if config.broken:
        raise ValueError("the source is broken")


@dg.job
def o3_obvious() -> None:
    work()


def idiom(live: Engine) -> "Iterator[Metric]":
    """What an exporter shows of the job's runs."""
    from prometheus_client.core import CounterMetricFamily, SummaryMetricFamily

    runs = [run for run in live.query(RUNS)["runsOrError"]["results"] if run["endTime"]]
    count = CounterMetricFamily("dagster_runs", "Runs by state.", labels=["job_name", "state"])
    for state, number in Counter(run["status"] for run in runs).items():
        count.add_metric(["o3_obvious", state], number)
    took = SummaryMetricFamily("dagster_run_duration_seconds", "Run times.", labels=["job_name"])
    took.add_metric(["o3_obvious"], len(runs), sum(run["endTime"] - run["startTime"] for run in runs))
    yield from (count, took)


LIVE = dg.Definitions(jobs=[o3_obvious])


@pytest.mark.live
@needs_prometheus
def test_o3_metrics(live: Engine, scenario: Scenario, tmp_path: Path) -> None:
    from tests.observability.o3_metrics import rule

    page = f"{live.url}/metrics"
    with (
        shown(partial(idiom, live)) as url,
        asking({"obvious": page, "idiom": url}, tmp_path / "seen", rule.RULES) as seen,
    ):
        good = live.wait(live.start("o3_obvious"))
        before = rule.counted_good_run(seen)
        bad = live.wait(live.start("o3_obvious", {"ops": {"work": {"config": {"broken": True}}}}))
        rule.alerted(seen)
        assert (good.is_success, bad.is_failure) == (True, True)
        own, exported = (rule.answers(job, "o3_obvious", before, seen) for job in ("obvious", "idiom"))
    scenario.obvious(o3_obvious, work, success=bad.is_success, **own)
    exporter = "an exporter, a program beside Dagster that asks its GraphQL API; others have published such programs"
    scenario.idiom(o3_obvious, work, idiom, success=bad.is_success, own_code=exporter, **exported)
    answer = httpx.get(page, timeout=60)
    scenario.finding(
        f"The web server has no page of metrics: it answers {answer.status_code} with "
        f"{answer.headers['content-type']} at /metrics, as for any page of its UI. With an exporter that asks GraphQL "
        f"for the runs the alert fires. Dagster's library dagster-prometheus, in beta and not tried here, pushes to a "
        f"Pushgateway what a run or a sensor counts itself."
    )
