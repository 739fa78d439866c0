"""An alert that the webhook does not take is logged, without the webhook's URL, and is no error of the run."""

import logging

import pytest

from shared.lib.ports import free_port
from shared.runtime import alert
from shared.runtime.alert import Alert
from tests.webhook import webhook

FAILED = Alert(tool="plain", event="failed", run_id="1", url="http://127.0.0.1/runs/1", error="no such folder")


def logged(url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> list[str]:
    monkeypatch.setenv("TRIPTYCH_ALERT_URL", url)
    with caplog.at_level(logging.INFO, "shared"):
        alert.send(FAILED)
    return [record.message for record in caplog.records if record.name.startswith("shared")]


def test_alert_arrives_as_json_with_all_its_fields(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with webhook() as hook:
        assert logged(hook.url, monkeypatch, caplog) == []
    (delivery,) = hook.deliveries
    assert delivery.message == FAILED.model_dump()
    assert delivery.message["month"] is None


def test_webhook_that_refuses_is_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with webhook(refused=1) as hook:
        (line,) = logged(hook.url, monkeypatch, caplog)
    assert line == "no alert of run 1, failed: the webhook answered 500, expected 200"


@pytest.mark.parametrize("url", [f"http://127.0.0.1:{free_port()}/secret", "no url at all/secret"])
def test_webhook_that_is_not_there_is_logged(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (line,) = logged(url, monkeypatch, caplog)
    assert line.startswith("no alert of run 1, failed: the webhook could not be reached (")
    assert "secret" not in line


def test_a_run_is_late_after_an_hour_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert alert.late_after().total_seconds() == 3600
    monkeypatch.setenv("TRIPTYCH_ALERT_AFTER", "90")
    assert alert.late_after().total_seconds() == 90
