"""Airflow shows what a task returns as JSON; a table with a plot takes a page of one's own, which a plugin adds."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from airflow.sdk import dag, get_current_context, task

from tests.candidates import PLOT, SCORES, Row, fit, leaderboard
from tests.live.airflow import Engine, Run
from tests.scenario import Scenario


@task(map_index_template="{{ task.op_kwargs['candidate'] }}")
def train(candidate: str) -> Row:
    return fit(candidate, get_current_context()["params"]["go"])


@dag(dag_id="o7_obvious", schedule=None, params={"go": ""})
def obvious() -> None:
    @task(multiple_outputs=True)
    def show(rows: list[Row]) -> dict[str, Any]:
        return {"leaderboard": leaderboard(rows[:]), "calibration": PLOT}

    show(train.expand(candidate=list(SCORES)))


@dag(dag_id="o7_idiom", schedule=None, params={"go": ""})
def idiom() -> None:
    @task
    def show(rows: list[Row]) -> str:
        cells = ("".join(f"<td>{cell}</td>" for cell in row.values()) for row in leaderboard(rows[:]))
        return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table><img src='{PLOT}'>"

    show(train.expand(candidate=list(SCORES)))


obvious_dag, idiom_dag = obvious(), idiom()


@pytest.mark.live
def test_o7_what_a_person_sees(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    # Here, as Airflow's processes import this file, too.
    from tests.observability.o7_what_a_person_sees.airflow_plugin import Results, results_page
    from tests.pages import seen
    from tests.pages.browser import page

    def open_page(run: Run) -> None:
        shown.goto(f"{live.url}/dags/{run.dag_id}/runs/{quote(run.run_id)}")

    def observe(run: Run, places: dict[str, Any]) -> dict[str, Any]:
        open_page(run)
        at = seen.click(places)
        return {"table": seen.table(shown), "plot": seen.plot(shown), "table_at": at, "plot_at": at}

    runs = [live.start(f"o7_{name}", {"go": str(tmp_path / "go")}) for name in ("obvious", "idiom")]
    with page(tmp_path) as shown:
        told = []
        for run in runs:
            open_page(run)
            told.append(seen.progress(shown.get_by_role("row").all_inner_texts, "Success", "Running"))
        (tmp_path / "go").touch()
        success = [live.wait(run) == "success" for run in runs]
        places = {"show": shown.get_by_role("row", name="show").get_by_role("link")}
        places |= {name: shown.get_by_role("link", name=name) for name in ("Storage", "XCom")}
        places["Expand all extra JSON"] = shown.get_by_role("button", name="Expand all extra JSON")
        as_json = observe(runs[0], places)
        assert shown.get_by_text(str(SCORES["logistic"])).first.is_visible()
        as_page = observe(runs[1], {"Results": shown.get_by_role("link", name="Results")})
    scenario.obvious(obvious, train, success=success[0], progress=told[0][0], progress_says=told[0][1], **as_json)
    scenario.idiom(
        idiom,
        train,
        results_page,
        Results,
        success=success[1],
        own_code="a page of one's own: the task writes HTML, and a plugin serves it in a tab of the run",
        progress=told[1][0],
        progress_says=told[1][1],
        **as_page,
    )
    scenario.finding(
        f"Airflow shows what a task returns as JSON: {as_json['table_at']}. It draws no table and no picture of it; "
        f"both take a page of one's own, which a plugin puts into a tab of the run, {as_page['table_at']}. The run's "
        f"page has each candidate with its state."
    )
