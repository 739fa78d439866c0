"""Prefect's server waits for the event of a run's end, and an automation acts when that has not come in time."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.blocks.webhook import Webhook as Block
from prefect.events.actions import CallWebhook
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.settings import get_current_settings

from tests.live import prefect
from tests.scenario import Scenario
from tests.webhook import lateness_of, least, webhook

LIMIT = timedelta(seconds=20)
ENDED = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Crashed", "Cancelled")}


@flow(name="o6")
def report(gate: str, fails: bool = False) -> None:
    if fails:
        raise ValueError("failed in time")
    while not Path(gate).exists():
        time.sleep(0.2)


def obvious(limit: timedelta, *after: str) -> EventTrigger:
    return EventTrigger(
        after={"prefect.flow-run.Running", *after},
        expect=ENDED,
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={"prefect.resource.role": "flow", "prefect.resource.name": "o6"},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=limit,
    )


def idiom(limit: timedelta) -> list[EventTrigger]:
    """Counted from the time at which a run was asked for; and a run of the flow must be completed in each period."""
    each_period = EventTrigger(
        expect={"prefect.flow-run.Completed"},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={"prefect.resource.role": "flow", "prefect.resource.name": "o6-missing"},
        posture=Posture.Proactive,
        threshold=1,
        within=limit,
    )
    return [obvious(limit, "prefect.flow-run.Scheduled"), each_period]


def tell(url: str) -> CallWebhook:
    block = Block(url=url).save("o6", overwrite=True)
    run = "{{ flow_run.id if flow_run else 'o6-missing' }}"
    return CallWebhook(block_document_id=block, payload=f'{{"run": "{run}"}}')


def observe(triggers: list[EventTrigger], folder: Path) -> dict[str, Any]:
    gate = folder / "gate"
    with webhook() as hook, ThreadPoolExecutor() as pool, ExitStack() as stack:
        stack.callback(gate.touch)
        for number, trigger in enumerate(triggers):
            stack.enter_context(prefect.automation(f"o6 {number}", trigger, tell(hook.url)))
        late = pool.submit(copy_context().run, report, str(gate), return_state=True)
        waits = asked_for()
        on_time, failed = report(str(folder), return_state=True), report(str(gate), fails=True, return_state=True)
        hook.wait(lambda: len({each.message["run"] for each in hook.deliveries}) >= 2 * len(triggers) - 1)
        running = not late.done()
        hook.wait_until_quiet()
    ended = {"late": late.result(), "on_time": on_time, "failed": failed}
    runs = {name: state.state_details.flow_run_id for name, state in ended.items()}
    began = next(state.timestamp for state in prefect.history(runs["late"]) if state.is_running())
    ids = {**runs, "waiting": waits, "missing": "o6-missing"}
    answers = lateness_of(hook, ids, running, (began + LIMIT).timestamp())
    return {"success": late.result().is_completed(), "least": least(obvious), **answers}


def asked_for() -> UUID:
    """A run of a deployment that no worker serves."""
    deployment = report.to_deployment("waits", parameters={"gate": ""}).apply()
    with prefect.client() as api:
        return api.create_flow_run_from_deployment(deployment).id


@pytest.mark.live
@pytest.mark.timeout(900)
@prefect.again_if_the_database_was_locked
def test_o6_lateness(results: Any, scenario: Scenario, tmp_path: Path) -> None:
    (tmp_path / "obvious").mkdir()
    by_run, by_period = observe([obvious(LIMIT)], tmp_path / "obvious"), observe(idiom(LIMIT), tmp_path)
    late_after = f"{get_current_settings().server.services.late_runs.after_seconds.total_seconds():.0f}"
    scenario.obvious(obvious, tell, **by_run)
    scenario.idiom(idiom, tell, **by_period)
    scenario.finding(
        "A proactive automation acts when no event says within the limit that a run has ended. Counted from Running "
        "it notices the run that takes too long; counted from Scheduled, also the run that no worker picks up. One "
        "that expects a completed run in each period notices that none was asked for, again in each period. (The "
        f"server itself marks a run as Late {late_after} s after it was due, unless it is started without that "
        "service, as here.)"
    )
