"""What the pipeline adds to Airflow's UI: the tab *Report* of a run, and links to the pages of MLflow.

Served by Airflow's API server, as parts of the plugin (plugins/triptych.py). They read the metadata database through
Airflow's models: a plugin runs inside the API server, and would have to log in to its own REST API.
"""

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from airflow.configuration import conf
from airflow.sdk import BaseOperatorLink
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from shared.contracts import Deployment, Evaluation, Trained
from shared.lib import plot, report
from shared.runtime import servers
from shared.runtime.home import default_home
from shared.settings import Settings

PREFIX = "/late-flights"
STYLE = """
body { font: 15px sans-serif; margin: 1em 2em; color: #222; background: white }
td, th { padding: 3px 14px 3px 0; text-align: left; border-bottom: 1px solid #ddd }
section { display: inline-block; vertical-align: top; margin-right: 3em }
"""

app = FastAPI(docs_url=None, redoc_url=None)


def run_url(run_id: str) -> str:
    """The address of a run's page in Airflow's UI, when that is up."""
    base = conf.get("api", "base_url", fallback="") or servers.url_of("airflow", default_home())
    return f"{base.rstrip('/')}/dags/late_flights/runs/{quote(run_id, safe='')}"


class MLflow(BaseOperatorLink):
    """A button on a task's page: the task's run in MLflow, or the version that it has put in service."""

    name = "MLflow"

    def get_link(self, operator: object, *, ti_key: object) -> str:
        from airflow.utils.session import create_session

        from airflow_impl import record
        from shared.lib import registry, tracking

        if ti_key.dag_id != record.DAG_ID:
            return ""
        with create_session() as session:
            result = record.xcom(ti_key.run_id, ti_key.task_id, session, map_index=ti_key.map_index)
        settings = Settings(tool="airflow")
        if isinstance(result, Deployment):
            return registry.version_url(result.version, settings)
        return tracking.run_url(result.run_id, settings) if hasattr(result, "run_id") else ""


@app.get("/runs/{run_id}", response_class=HTMLResponse)
def report_page(run_id: str) -> str:
    """The report of a run, as far as it has come."""
    from airflow.utils.session import create_session

    from airflow_impl import record

    with create_session() as session:
        run = record.find(run_id, session)
        if run is None:
            return page("no such run")
        trained = record.xcoms(run_id, "train", session)
        return page(report_body(record.month_of(run), trained, record.xcom(run_id, "evaluate", session)))


def report_body(month: str, trained: Sequence[Trained], evaluation: Evaluation | None) -> str:
    if not trained:
        return f"<h2>{month}</h2><p>No candidate is trained yet.</p>"
    parts = [f"<h2>{month}</h2>"]
    if evaluation:
        parts += [f"<p><b>{evaluation.decision}</b>: {escape(evaluation.reason)}</p>"]
        parts += [f"<p>{escape(note)}</p>" for note in evaluation.notes]
        parts += [section("Scores on the target month", table(report.scores(evaluation)))]
        parts += [section("Calibration", plot.calibration(evaluation))]
    leaderboard = table(report.leaderboard(trained, evaluation))
    return "".join([*parts, section("Candidates, on the window's last 14 days", leaderboard)])


def section(title: str, content: str) -> str:
    return f"<section><h3>{title}</h3>{content}</section>"


def table(rows: Sequence[report.Row]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
    lines = ("".join(f"<td>{escape(report.cell(value))}</td>" for value in row.values()) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def page(content: str) -> str:
    return f"<!doctype html><meta charset=utf-8><title>Report</title><style>{STYLE}</style>{content}"
