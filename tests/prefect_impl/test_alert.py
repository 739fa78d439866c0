"""The server tells the webhook of a run that is late, and of one that has crashed for the last time."""

from uuid import UUID

import pytest
from prefect.automations import Automation
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.states import Crashed, Running

from prefect_impl.alert import alerts, ensure_alerts
from prefect_impl.automation import TIMES
from prefect_impl.home import ensure_server
from prefect_impl.pipeline import late_flights
from shared.runtime.alert import Alert
from tests.live.prefect import again_if_the_database_was_locked, events
from tests.live.watch import until
from tests.webhook import Delivery, Webhook, webhook


def crash(api: SyncPrefectClient) -> UUID:
    """A run that has crashed as often as it may be begun."""
    run = api.create_flow_run(late_flights, parameters={"month": "2013-06"}).id
    for crashes in range(1, TIMES + 2):
        api.set_flow_run_state(run, Running(), force=True)
        api.set_flow_run_state(run, Crashed(message="killed"), force=True)
        until(lambda crashes=crashes: len(events("prefect.flow-run.Crashed", run)) == crashes)
    return run


def heard(hook: Webhook, event: str) -> list[Delivery]:
    return [each for each in hook.deliveries if each.message["event"] == event]


@pytest.mark.live
@again_if_the_database_was_locked
def test_late_and_crashed_runs_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_server()
    monkeypatch.setenv("TRIPTYCH_ALERT_AFTER", "10")
    with webhook() as hook, get_client(sync_client=True) as api:
        monkeypatch.setenv("TRIPTYCH_ALERT_URL", hook.url)
        ensure_alerts()
        late = api.create_flow_run(late_flights, parameters={"month": "2013-06"}).id
        api.set_flow_run_state(late, Running(), force=True)
        crashed = crash(api)
        for event in ("failed", "late"):
            hook.wait(lambda event=event: heard(hook, event))
        hook.wait_until_quiet()
    # A first try of this test leaves runs of its own.
    told = [
        message for message in (each.message for each in hook.deliveries) if UUID(message["run_id"]) in (late, crashed)
    ]
    by_run = {message["run_id"]: Alert.model_validate(message) for message in told}
    assert {run: alert.event for run, alert in by_run.items()} == {str(late): "late", str(crashed): "failed"}
    assert (by_run[str(crashed)].error, by_run[str(crashed)].month) == ("killed", "2013-06")
    assert by_run[str(late)].url.endswith(f"/runs/flow-run/{late}")
    assert len(told) == 2


@pytest.mark.live
def test_without_a_webhook_there_are_no_automations(monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_server()
    names = [name for name, *_ in alerts()]
    monkeypatch.setenv("TRIPTYCH_ALERT_URL", "http://127.0.0.1:1")
    ensure_alerts()
    assert [Automation.read(name=name).name for name in names] == names
    monkeypatch.delenv("TRIPTYCH_ALERT_URL")
    ensure_alerts()
    for name in names:
        with pytest.raises(ValueError, match=name):
            Automation.read(name=name)
