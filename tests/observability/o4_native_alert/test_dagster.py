"""Dagster's daemon reads the log of events, and hands each run that has failed to a sensor once."""

from collections.abc import Iterator

import dagster as dg
import httpx
import pytest

from tests.live.dagster import SCENARIOS, Engine
from tests.scenario import Scenario
from tests.webhook import alerts_of, webhook


class Fault(dg.Config):
    fails: bool


@dg.op(out=dg.DynamicOut())
def candidates() -> Iterator[dg.DynamicOutput[str]]:
    for name in "abc":
        yield dg.DynamicOutput(name, mapping_key=name)


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def fit(candidate: str, config: Fault) -> None:
    if config.fails and candidate != "a":
        raise ValueError(f"{candidate} fails")


@dg.job(executor_def=dg.in_process_executor)
def o4_obvious() -> None:
    candidates().map(fit)


def tell(context: dg.RunFailureSensorContext) -> None:
    run = context.dagster_run
    failed, *_ = context.get_step_failure_events()
    url = f"{run.tags['pages']}/runs/{run.run_id}?logs=step%3A{failed.step_key}"
    httpx.post(run.tags["webhook"], json={"run": run.run_id, "url": url}, trust_env=False).raise_for_status()


o4_tell = dg.run_failure_sensor("o4_tell", minimum_interval_seconds=5)(tell)
LIVE = dg.Definitions(jobs=[o4_obvious], sensors=[o4_tell])


def leads_to_failed(url: str, run: str, live: Engine) -> bool:
    """Whether the link leads to a page of the UI, of a step of this run that has failed."""
    page, _, step = url.partition("?logs=step%3A")
    (stats,) = live.instance.get_run_step_stats(run, [step])
    of_run = page == f"{live.url}/runs/{run}" and stats.status.value == "FAILURE"
    return of_run and httpx.get(url, trust_env=False).status_code == 200


@pytest.mark.live
def test_o4_native_alert(live: Engine, scenario: Scenario) -> None:
    with webhook(refused=1) as hook, live.sensor(SCENARIOS, "o4", "o4_tell"):
        tags = {"webhook": hook.url, "pages": live.url}
        config = [{"ops": {"fit": {"config": {"fails": fails}}}} for fails in (True, True, False)]
        *failed, good = [live.start("o4_obvious", each, tags) for each in config]
        ended = [live.wait(run) for run in (*failed, good)]
        hook.wait(lambda: all(hook.of(run) for run in failed))
        hook.wait_until_quiet()
        ticks = live.ticks("o4_tell")
    answers = alerts_of(hook, {run: live.times(run)[1] for run in failed}, good)
    links = [(each.message["url"], run) for run in failed for each in hook.of(run)]
    scenario.obvious(
        tell,
        success=all(run.is_success for run in ended),
        link=bool(links) and all(leads_to_failed(url, run, live) for url, run in links),
        **answers,
    )
    states = [tick.status.value for tick in ticks]
    scenario.finding(
        f"A `run_failure_sensor` is called once for each failed run, however many of its steps failed: "
        f"{answers['deliveries']} deliveries for two runs. It looks every 30 s, here every 5 s. A refused message "
        f"makes its tick {'fail' if 'FAILURE' in states else 'succeed'}, and is not sent again."
    )
