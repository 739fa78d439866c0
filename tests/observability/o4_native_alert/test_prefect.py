"""Prefect's server answers the event of a run's failure with an automation, which calls a webhook."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect import flow, task, unmapped
from prefect.blocks.webhook import Webhook
from prefect.events.actions import CallWebhook
from prefect.events.schemas.automations import EventTrigger, Posture

from tests.live import prefect
from tests.scenario import Scenario
from tests.webhook import alerts_of, webhook


@task(retries=1)
def fit(candidate: str, fails: bool) -> None:
    if fails and candidate != "a":
        raise ValueError(f"{candidate} fails")


@flow(name="o4-obvious")
def obvious(fails: bool) -> None:
    fit.map(["a", "b", "c"], unmapped(fails)).result()


def failed() -> EventTrigger:
    return EventTrigger(
        expect={"prefect.flow-run.Failed"},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={"prefect.resource.role": "flow", "prefect.resource.name": "o4-obvious"},
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )


def tell(url: str) -> CallWebhook:
    block = Webhook(url=url).save("o4", overwrite=True)
    # With its pages the server would know the link, as {{ flow_run|ui_url }}; in the tests it has only the API.
    link = f"{prefect.server()}/flow_runs/{{{{ flow_run.id }}}}"
    return CallWebhook(block_document_id=block, payload=f'{{"run": "{{{{ flow_run.id }}}}", "url": "{link}"}}')


def leads_to_failed(url: str, run: UUID) -> bool:
    found = httpx.get(url, trust_env=False).raise_for_status().json()
    return bool(found["id"] == str(run) and found["state_type"] == "FAILED")


@pytest.mark.live
@pytest.mark.timeout(900)
@prefect.again_if_the_database_was_locked
def test_o4_native_alert(results: Any, scenario: Scenario) -> None:
    with webhook(refused=1) as hook, prefect.automation("o4", failed(), tell(hook.url)):
        states = [obvious(fails, return_state=True) for fails in (True, True, False)]
        *runs, good = [state.state_details.flow_run_id for state in states]
        hook.wait(lambda: all(hook.of(run) for run in runs))
        hook.wait_until_quiet()
    executed = [event for run in runs for event in prefect.events("prefect.automation.action.executed", run)]
    ends = {str(run): state.timestamp.timestamp() for run, state in zip(runs, states, strict=False)}
    answers = alerts_of(hook, ends, str(good))
    links = [(each.message["url"], run) for run in runs for each in hook.of(run)]
    scenario.obvious(
        tell,
        failed,
        success=all(state.is_completed() for state in states),
        link=bool(links) and all(leads_to_failed(*link) for link in links),
        **answers,
    )
    scenario.finding(
        f"An automation on the event `prefect.flow-run.Failed` calls the webhook once for each failed run: "
        f"{answers['deliveries']} deliveries for two runs. Its message is a template, which knows the flow run and no "
        f"task run. What the webhook refuses counts as delivered, too ({len(executed)} actions executed), and "
        f"is not sent again."
    )
