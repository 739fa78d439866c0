"""The automation that runs a crashed run again.

The `retries` of a flow are counted in its own process: when that is killed, nothing is left to retry. The server sees
the run's state Crashed, and an automation lives there.
"""

from datetime import timedelta

from prefect.automations import Automation
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture

NAME = "run crashed late-flights again"
TIMES = 3


def ensure_automation() -> None:
    """Create the automation unless there is one: someone may have switched it off."""
    try:
        Automation.read(name=NAME)
    except ValueError:
        Automation(name=NAME, description=__doc__, trigger=crashed(), actions=[schedule_again()]).create()


def crashed() -> EventTrigger:
    """A run of a deployment of late-flights has crashed, and it has been begun TIMES times at most.

    The crash is reported when the process has died, and by the worker once more when the run's hooks are over. So the
    trigger waits 10 s, the least that Prefect allows, to see whether the run is Running again; a second report in this
    time schedules nothing. One that comes later, on a busy machine, schedules the run once more.
    """
    return EventTrigger(
        after={"prefect.flow-run.Crashed"},
        expect={"prefect.flow-run.Running"},
        match={
            "prefect.resource.id": "prefect.flow-run.*",
            "prefect.run-count": [str(count) for count in range(1, TIMES + 1)],
        },
        match_related=[
            {"prefect.resource.role": "flow", "prefect.resource.name": "late-flights"},
            {"prefect.resource.role": "deployment"},  # only a worker starts a run again that is Scheduled
        ],
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=10),
    )


def schedule_again() -> ChangeFlowRunState:
    """Schedule the run now. Forced: what has ended may not be scheduled otherwise."""
    return ChangeFlowRunState(state=StateType.SCHEDULED, name="AwaitingRetry", force=True)
