"""`make monitor`: a tool's web UI, its metrics, and a Prometheus that reads them, all ended by one Ctrl-C."""

from pathlib import Path

import pytest

from shared.runtime import servers
from tests.conftest import TOOL
from tests.live.watch import until
from tests.pages.ui import ui
from tests.prometheus import Prometheus, needs_prometheus


@pytest.mark.slow
@needs_prometheus
def test_monitor_starts_ui_and_prometheus_that_reads_the_metrics(home: Path) -> None:
    with ui(f"{TOOL}_impl.monitor", home):
        kept = home / "ports" / f"{TOOL}-prometheus"
        until(kept.exists)
        seen = Prometheus(servers.url_of(f"{TOOL}-prometheus", home))
        until(lambda: servers.answers(f"{seen.url}/-/ready"))
        assert seen.scrapes() == {"triptych": True}
        assert ({"state": "failed", "tool": TOOL}, 0) in [
            ({name: labels[name] for name in ("state", "tool")}, value)
            for labels, value in until(lambda: seen.query("triptych_runs_total"))
        ]
    assert not servers.answers(f"{seen.url}/-/ready")
