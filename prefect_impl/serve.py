"""`python -m prefect_impl.serve`: deploys what prefect.yaml says, and becomes the worker that runs it."""

import os
import subprocess
import sys
from contextlib import suppress

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from prefect_impl import hooks
from prefect_impl.alert import ensure_alerts
from prefect_impl.automation import ensure_automation
from shared.settings import ROOT, Settings

PREFECT = [sys.executable, "-m", "prefect"]
POOL = "triptych"
SCHEDULE = "monthly-schedule/first-of-the-month"


def main() -> None:
    """Serve until SIGTERM; the runs whose process is gone are ended first."""
    with get_client(sync_client=True) as api:
        with suppress(ObjectAlreadyExists):
            api.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        deploy(api)
    ensure_automation()
    ensure_alerts()
    hooks.end_abandoned(Settings(tool="prefect"))
    os.execv(sys.executable, [*PREFECT, "worker", "start", "--pool", POOL, "--with-healthcheck"])


def deploy(api: SyncPrefectClient) -> None:
    """Run `prefect deploy --all`, but leave a schedule on that someone has switched on."""
    on = schedule_is_on(api)
    subprocess.run([*PREFECT, "deploy", "--all"], cwd=ROOT, check=True)
    if on:
        switch_on(api)


def schedule_is_on(api: SyncPrefectClient) -> bool:
    try:
        return any(schedule.active for schedule in api.read_deployment_by_name(SCHEDULE).schedules)
    except ObjectNotFound:
        return False


def switch_on(api: SyncPrefectClient) -> None:
    deployment = api.read_deployment_by_name(SCHEDULE)
    for schedule in deployment.schedules:
        api.update_deployment_schedule(deployment.id, schedule.id, active=True)


if __name__ == "__main__":
    main()
