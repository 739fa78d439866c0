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
from tests.live.prefect import events
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
def test_late_and_crashed_runs_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_server()
    monkeypatch.setenv("TRIPTYCH_ALERT_AFTER", "10")
    with webhook() as hook, get_client(sync_client=True) as api:
        monkeypatch.setenv("TRIPTYCH_ALERT_URL", hook.url)
        ensure_alerts()
        late = api.create_flow_run(late_flights, parameters={"month": "2013-06"}).id
        api.set_flow_run_state(late, Running(), force=True)
        crashed, failed = late, list[Delivery]()
        for _ in range(3):  # the server drops an event for which it found SQLite locked four times
            if not failed:
                crashed = crash(api)
                hook.wait(lambda: failed.extend(heard(hook, "failed")) or failed, 20)
        hook.wait(lambda: heard(hook, "late"))
        hook.wait_until_quiet()
    told = {each.message["run_id"]: Alert.model_validate(each.message) for each in hook.deliveries}
    assert {run: alert.event for run, alert in told.items()} == {str(late): "late", str(crashed): "failed"}
    assert (told[str(crashed)].error, told[str(crashed)].month) == ("killed", "2013-06")
    assert told[str(late)].url.endswith(f"/runs/flow-run/{late}")
    assert len(hook.deliveries) == 2


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
