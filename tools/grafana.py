"""Writes monitoring/grafana.json, a dashboard of the metrics: `python -m tools.grafana [--check]`."""

import json
import sys
from typing import Any

from shared.settings import ROOT

DASHBOARD = ROOT / "monitoring" / "grafana.json"
WIDTH, HEIGHT, COLUMNS = 8, 7, 3
# Title, kind, unit, expression, and what names a line.
PANELS = [
    (
        "Last run",
        "table",
        "dateTimeFromNow",
        "max by (tool, state) (triptych_last_run_timestamp_seconds > 0) * 1000",
        "",
    ),
    ("Runs", "timeseries", "short", "triptych_runs_total", "{{tool}} {{state}}"),
    ("Alerts", "table", "short", 'ALERTS{alertstate="firing"}', ""),
    (
        "Seconds of a stage, 95th percentile",
        "timeseries",
        "s",
        "histogram_quantile(0.95, sum by (tool, stage, le) (triptych_stage_duration_seconds_bucket))",
        "{{tool}} {{stage}}",
    ),
    (
        "Attempts for each instance of a stage",
        "timeseries",
        "short",
        "triptych_stage_attempts_total / on (tool, stage) triptych_stage_duration_seconds_count",
        "{{tool}} {{stage}}",
    ),
    ("Candidates", "timeseries", "short", "triptych_candidates_total", "{{tool}} {{state}}"),
    ("Refused batches", "timeseries", "short", "triptych_data_quality_failures_total", "{{tool}}"),
    ("Drift (PSI)", "timeseries", "short", "triptych_feature_drift_psi", "{{tool}} {{column}}"),
    (
        "Brier score, lower is better",
        "timeseries",
        "short",
        '{__name__=~"triptych_champion_brier_score|triptych_base_rate_brier_score"}',
        "{{tool}} {{__name__}}",
    ),
]
SOURCE = {"type": "prometheus", "uid": "${source}"}
"""The data source: the variable lets the reader choose one at the import."""


def dashboard() -> dict[str, Any]:
    variable = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    return {
        "title": "Triptych",
        "uid": "triptych",
        "schemaVersion": 39,
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [variable]},
        "panels": [panel(number, *each) for number, each in enumerate(PANELS)],
    }


def panel(number: int, title: str, kind: str, unit: str, expression: str, legend: str) -> dict[str, Any]:
    row, column = divmod(number, COLUMNS)
    target = {"refId": "A", "datasource": SOURCE, "expr": expression, "legendFormat": legend}
    return {
        "id": number + 1,
        "title": title,
        "type": kind,
        "datasource": SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {
            "defaults": {"unit": unit, "min": 0} if kind == "timeseries" else {"unit": unit},
            "overrides": [],
        },
        "targets": [target | ({"format": "table", "instant": True} if kind == "table" else {})],
    }


def main() -> None:
    """With --check, exits if the file is not what this makes."""
    made = json.dumps(dashboard(), indent=1) + "\n"
    if "--check" not in sys.argv:
        DASHBOARD.write_text(made, "utf-8")
    elif not DASHBOARD.exists() or DASHBOARD.read_text("utf-8") != made:
        sys.exit("error: monitoring/grafana.json is not what tools/grafana.py makes; run make format")


if __name__ == "__main__":
    main()
