"""Airflow calls back for each failed task in the task's process, or for the run in the Dag processor."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from airflow.sdk import BaseNotifier, Context, dag, task

from tests.live.airflow import CHANGED, Engine, Run, path_of, started
from tests.scenario import Scenario
from tests.webhook import alerts_of, webhook


@task(retries=1, retry_delay=timedelta(0))
def fit(candidate: str, *, params: dict[str, Any]) -> None:
    if params["fails"] and candidate != "a":
        raise ValueError(f"{candidate} fails")


def post(context: Context) -> None:
    import httpx

    ti, run = context["ti"], context["dag_run"]
    httpx.post(run.conf["webhook"], json={"run": run.run_id, "url": ti.log_url}, trust_env=False).raise_for_status()


@dag(
    dag_id="o4_obvious",
    schedule=None,
    params={"fails": True, "webhook": ""},
    default_args={"on_failure_callback": [post]},
)
def obvious() -> None:
    fit.expand(candidate=["a", "b", "c"])


class Post(BaseNotifier):
    """Tell the webhook which run has failed, with a link to the task that failed last."""

    def notify(self, context: Context) -> None:
        post(context)


@dag(dag_id="o4_idiom", schedule=None, params={"fails": True, "webhook": ""}, on_failure_callback=[Post()])
def idiom() -> None:
    fit.expand(candidate=["a", "b", "c"])


obvious_dag, idiom_dag = obvious(), idiom()


def leads_to_failed(url: str, run: Run, live: Engine) -> bool:
    """Whether the link leads to a page of the UI, of a task of this run that has failed."""
    import httpx

    page, _, index = url.partition("/mapped/")
    of_run = page == f"{live.url}/dags/{run.dag_id}/runs/{quote(run.run_id)}/tasks/fit"
    task = live.get(f"{path_of(run)}/taskInstances/fit/{int(index.partition('?')[0])}")
    return of_run and task["state"] == "failed" and httpx.get(url, trust_env=False).status_code == 200


def observe(dag_id: str, live: Engine) -> dict[str, Any]:
    with webhook(refused=1) as hook:
        failed = [live.start(dag_id, {"fails": True, "webhook": hook.url}) for _ in range(2)]
        good = live.start(dag_id, {"fails": False, "webhook": hook.url})
        states = [live.wait(run) for run in (*failed, good)]
        hook.wait(lambda: all(hook.of(run.run_id) for run in failed))
        hook.wait_until_quiet()
    ends = [datetime.fromisoformat(live.get(path_of(run))["end_date"]).timestamp() for run in failed]
    answers = alerts_of(hook, dict(zip([run.run_id for run in failed], ends, strict=True)), good.run_id)
    links = [(each.message["url"], run) for run in failed for each in hook.of(run.run_id)]
    link = bool(links) and all(leads_to_failed(url, run, live) for url, run in links)
    return {"success": set(states) == {"success"}, "link": link, **answers}


# A Dag's callback that comes while its file is read waits for the next reading: by default that is due after 30 s.
READS_AGAIN = {"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30"}


@pytest.mark.live
@pytest.mark.own_engine
def test_o4_native_alert(tmp_path: Path, scenario: Scenario) -> None:
    with started(tmp_path, CHANGED | READS_AGAIN, dags=Path(__file__)) as live:
        by_task, by_run = observe("o4_obvious", live), observe("o4_idiom", live)
    scenario.obvious(obvious, post, **by_task)
    scenario.idiom(idiom, Post, post, **by_run)
    scenario.finding(
        f"A callback in `default_args` is called for each task that fails for good: {by_task['deliveries']} deliveries "
        f"for two runs; one of the Dag itself is called once for a run, by the Dag processor: {by_run['deliveries']}. "
        f"Its link leads to the task that failed last. What the webhook refuses is not sent again."
    )
