"""The automation runs a crashed run of a deployment again, three times at most."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from prefect.automations import Automation
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.states import Crashed, Running

from prefect_impl.automation import NAME, TIMES, ensure_automation
from prefect_impl.home import ensure_server
from prefect_impl.pipeline import late_flights
from tests.live.prefect import again_if_the_database_was_locked
from tests.live.watch import until

PARAMETERS = {"month": "2013-06"}


def crash(run: UUID, api: SyncPrefectClient) -> None:
    for state in (Running(), Crashed()):
        api.set_flow_run_state(run, state, force=True)


@pytest.fixture
def automation() -> Iterator[None]:
    ensure_server()
    ensure_automation()
    ensure_automation()  # changes nothing
    yield
    Automation.read(name=NAME).delete()


@pytest.mark.live
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("automation")
@again_if_the_database_was_locked
def test_crashed_run_of_a_deployment_is_scheduled_again_three_times_at_most() -> None:
    deployment = late_flights.to_deployment("crashes").apply()
    with get_client(sync_client=True) as api:
        of_command = api.create_flow_run(late_flights, parameters=PARAMETERS).id
        crash(of_command, api)
        runs = [api.create_flow_run_from_deployment(deployment, parameters=PARAMETERS).id for _ in range(2)]
        for _ in range(TIMES):
            crash(runs[0], api)
            until(lambda: api.read_flow_run(runs[0]).state.name == "AwaitingRetry")
        crash(runs[0], api)
        crash(runs[1], api)  # the server sees the last crash after the others
        until(lambda: api.read_flow_run(runs[1]).state.name == "AwaitingRetry")
        assert api.read_flow_run(runs[0]).state.name == "Crashed"
        assert api.read_flow_run(runs[0]).run_count == TIMES + 1
        assert api.read_flow_run(of_command).state.name == "Crashed"
