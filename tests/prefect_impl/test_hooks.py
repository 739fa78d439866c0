"""What becomes of a run whose process is gone."""

from pathlib import Path
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import AwaitingRetry, Cancelling, Completed, Running

from prefect_impl import hooks
from prefect_impl.home import ensure_server
from prefect_impl.pipeline import late_flights
from shared.runtime import running
from shared.settings import Settings


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Running(), "Crashed"),
        (Cancelling(), "Cancelled"),
        (Completed(), "Completed"),
        (AwaitingRetry(), "AwaitingRetry"),
    ],
    ids=lambda state: state if isinstance(state, str) else state.name,
)
def test_run_whose_process_is_gone_is_ended_unless_it_has_or_waits_for_its_retry(
    before: State, after: str, home: Path
) -> None:
    settings = Settings(tool="prefect")
    ensure_server()
    with get_client(sync_client=True) as api:
        run = api.create_flow_run(late_flights, parameters={"month": "2013-06"}, state=before)
        (running.folder(settings) / str(run.id)).touch()
        hooks.end_abandoned(settings)
        assert api.read_flow_run(run.id).state.name == after
    assert list(running.abandoned(settings)) == []


@pytest.mark.usefixtures("home")
def test_run_that_its_flow_retries_in_the_same_process_is_given_back_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks.interrupt, "watch", lambda seconds: None)  # it would end this process after an interrupt
    begun = FlowRun(flow_id=uuid4(), deployment_id=uuid4())
    for _ in range(2):
        hooks.claim(late_flights, begun, Running())
    hooks.CLAIM.close()
    assert not list(running.folder(Settings(tool="prefect")).iterdir())
