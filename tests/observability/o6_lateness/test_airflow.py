"""A deadline belongs to a run of Airflow: the scheduler looks whether it has passed before the run succeeded."""

import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference, dag, task

from tests.live.airflow import Engine, Run, path_of
from tests.scenario import Scenario
from tests.webhook import lateness_of, least, webhook

LIMIT = timedelta(seconds=20)
PARAMS = {"webhook": "", "gate": "", "fails": False}


async def tell(context: dict[str, Any]) -> None:
    import httpx

    run = context["dag_run"]
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.post(run["conf"]["webhook"], json={"run": run["dag_run_id"]})


def deadline(limit: timedelta) -> DeadlineAlert:
    callback = AsyncCallback("tests.observability.o6_lateness.test_airflow.tell")  # the triggerer imports it
    return DeadlineAlert(reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=limit, callback=callback)


@task
def report(*, params: dict[str, Any]) -> None:
    if params["fails"]:
        raise ValueError("failed in time")
    while not Path(params["gate"]).exists():
        time.sleep(0.2)


@dag(dag_id="o6_obvious", schedule=None, params=PARAMS, deadline=deadline(LIMIT))
def obvious() -> None:
    report()


@dag(dag_id="o6_waiting", schedule=None, params=PARAMS, deadline=deadline(LIMIT), is_paused_upon_creation=True)
def waiting() -> None:
    report()


@dag(dag_id="o6_idiom", schedule=None, params={"webhook": "", "of": ""})  # with a schedule of its own
def idiom() -> None:
    @task
    def look(*, ti: Any, params: dict[str, Any]) -> None:
        import httpx

        if not ti.get_dr_count(dag_id=params["of"], states=["success"]):
            httpx.post(params["webhook"], json={"run": params["of"]}, trust_env=False).raise_for_status()

    look()


obvious_dag, waiting_dag, idiom_dag = obvious(), waiting(), idiom()


def ended_in_time(live: Engine, conf: dict[str, Any]) -> Run:
    """A run that ended within the limit: on a busy machine perhaps not the first one."""
    while True:
        run = live.start("o6_obvious", conf)
        live.wait(run)
        found = live.get(path_of(run))
        if datetime.fromisoformat(found["end_date"]) - datetime.fromisoformat(found["queued_at"]) < LIMIT:
            return run


@pytest.mark.live
def test_o6_lateness(live: Engine, scenario: Scenario, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with webhook() as hook, ExitStack() as stack:
        stack.callback(gate.touch)
        conf = {"webhook": hook.url, "gate": str(gate)}
        late, waits = live.start("o6_obvious", conf), live.start("o6_waiting", conf)
        on_time = ended_in_time(live, {**conf, "gate": str(tmp_path)})
        failed = ended_in_time(live, {**conf, "fails": True})
        hook.wait(lambda: all(hook.of(run.run_id) for run in (late, waits, failed)))
        running = live.state(late) == "running"
        hook.wait_until_quiet()
        due = (datetime.fromisoformat(live.get(path_of(late))["queued_at"]) + LIMIT).timestamp()
        runs = {"late": late, "on_time": on_time, "waiting": waits, "failed": failed}
        ids = {**{name: run.run_id for name, run in runs.items()}, "missing": "o6_missing"}
        by_deadline = lateness_of(hook, ids, running, due)
        live.wait(live.start("o6_idiom", {"webhook": hook.url, "of": "o6_missing"}))
        hook.wait(lambda: hook.of("o6_missing"))
        by_both = lateness_of(hook, ids, running, due)
    success, limit = live.wait(late) == "success", least(deadline)
    scenario.obvious(obvious, deadline, tell, success=success, least=limit, **by_deadline)
    scenario.idiom(
        obvious, deadline, tell, idiom,
        own_code="A second Dag that looks whether the first one has run: a deadline belongs to a run that exists.",
        success=success, least=limit, **by_both,
    )  # fmt: skip
    scenario.finding(
        "The scheduler sends an alert as soon as a run's deadline has passed, also when the run is still queued, and "
        f"{'also' if by_deadline['failed'] else 'not'} when it has failed in time. A run that nobody has asked for has "
        "no deadline: to notice that takes a second Dag, which looks whether the first one has run."
    )
