"""Tells the webhook of runs that have failed or are late (shared.runtime.alert): by automations of the server.

They are kept in the server's database, so that they are made anew at each start, and removed when there is no webhook.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.events.actions import CallWebhook
from prefect.events.schemas.automations import EventTrigger, Posture

from prefect_impl import HOME
from prefect_impl.automation import TIMES
from prefect_impl.home import pages_of
from shared.runtime import alert, servers
from shared.runtime.alert import Alert

FLOW = {"prefect.resource.role": "flow", "prefect.resource.name": "late-flights"}
RUN = {"prefect.resource.id": "prefect.flow-run.*"}
ENDED = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Crashed", "Cancelled")}


def ensure_alerts() -> None:
    """Make the automations that `TRIPTYCH_ALERT_URL` asks for, in place of those of an earlier start."""
    for name, trigger, payload in alerts():
        with suppress(ValueError):
            Automation.read(name=name).delete()
        if alert.url():
            block = Webhook(url=alert.url()).save("triptych-alert", overwrite=True)
            action = CallWebhook(block_document_id=block, payload=payload)
            Automation(name=name, description=__doc__, trigger=trigger, actions=[action]).create()


def alerts() -> Iterator[tuple[str, EventTrigger, str]]:
    """The automations' names, with what each waits for and what it sends."""
    pages = f"{pages_of(servers.url_of('prefect', HOME.parent))}/runs"
    run, task = f"'{pages}/flow-run/' ~ flow_run.id", f"'{pages}/task-run/' ~ task_run.id"
    message = "task_run.state.message.split(': ', 1) | last"  # without "Task run encountered an exception …"
    yield "tell of a failed stage", stage_failed(), payload("failed", task, stage="task_run.name", error=message)
    yield "tell of a crashed run", run_crashed(), payload("failed", run, error="flow_run.state.message")
    yield "tell of a late run", run_late(), payload("late", run)


def payload(event: str, url: str, **known: str) -> str:
    """An alert as a template of expressions: the server fills in the run and the task that the event is about."""
    run = {"run_id": "flow_run.id ~ ''", "month": "flow_run.parameters.month"}
    values = {"tool": "'prefect'", "event": f"'{event}'", "url": url, **run, **known}
    fields = (f'"{name}": {{{{ ({values.get(name, "none")}) | tojson }}}}' for name in Alert.model_fields)
    return f"{{{', '.join(fields)}}}"


def stage_failed() -> EventTrigger:
    """A stage has failed, and so the run; not a candidate, such as `EWR/logistic`, of which `evaluate` decides."""
    stage = {"prefect.resource.id": "prefect.task-run.*", "prefect.resource.name": "!*/*"}
    return at_once("prefect.task-run.Failed", stage)


def run_crashed() -> EventTrigger:
    """A run has crashed that is not run again (automation.py)."""
    return at_once("prefect.flow-run.Crashed", {**RUN, "prefect.run-count": str(TIMES + 1)})


def at_once(event: str, of: dict[str, str]) -> EventTrigger:
    """Each event of that name, of these resources of the pipeline's runs."""
    return EventTrigger(
        expect={event},
        match=of,
        match_related=FLOW,
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )


def run_late() -> EventTrigger:
    """A run has begun and not ended in time."""
    return EventTrigger(
        after={"prefect.flow-run.Running"},
        expect=ENDED,
        match=RUN,
        match_related=FLOW,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=alert.late_after(),
    )
