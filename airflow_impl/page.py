"""The tab *Report* of a run's page: candidates, scores and the calibration plot, served by Airflow's API server."""

from collections.abc import Sequence
from html import escape

from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from airflow_impl import record
from shared.contracts import Evaluation, Trained
from shared.lib import plot, report

PREFIX = "/late-flights"
STYLE = """
body { font: 15px sans-serif; margin: 1em 2em; color: #222; background: white }
td, th { padding: 3px 14px 3px 0; text-align: left; border-bottom: 1px solid #ddd }
section { display: inline-block; vertical-align: top; margin-right: 3em }
"""

app = FastAPI(docs_url=None, redoc_url=None)


@app.get("/runs/{run_id}", response_class=HTMLResponse)
def of_run(run_id: str) -> str:
    """The report of a run, as far as it has come."""
    with create_session() as session:
        run = next(iter(DagRun.find(record.DAG_ID, run_id=[run_id], session=session)), None)
        if run is None:
            return page("no such run")
        trained = record.xcoms(run, "train", session)
        return page(body(record.month_of(run), trained, record.xcom(run, "evaluate", session)))


def body(month: str, trained: Sequence[Trained], evaluation: Evaluation | None) -> str:
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
    lines = ("".join(f"<td>{escape(str(value))}</td>" for value in row.values()) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def page(content: str) -> str:
    return f"<!doctype html><meta charset=utf-8><title>Report</title><style>{STYLE}</style>{content}"
