"""A run that fails sends one alert, of the same form in every tool, with a link to the stage that has failed."""

import importlib
from pathlib import Path

import pytest

from shared.runtime.alert import Alert
from shared.settings import Settings
from tests.conftest import TOOL
from tests.webhook import webhook

tool = importlib.import_module(f"tests.conformance.alerts_{TOOL}")


@pytest.mark.slow
def test_failed_run_sends_one_alert_with_a_link_to_its_stage(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as hook:
        monkeypatch.setenv("TRIPTYCH_ALERT_URL", hook.url)
        run, page = tool.fail("2013-06", Settings(tool=TOOL, source=str(home / "nowhere")))
        hook.wait(lambda: hook.deliveries)
        hook.wait_until_quiet(3)
    (delivery,) = hook.deliveries
    expected = {"tool": TOOL, "event": "failed", "run_id": run.run_id, "month": "2013-06", "stage": "ingest"}
    assert delivery.message == Alert(**expected, error=run.error, url=page).model_dump()
    assert "nowhere" in run.error
