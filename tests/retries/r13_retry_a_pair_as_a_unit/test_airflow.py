"""Airflow retries single tasks, never a group of them; what must be retried together has to be one task."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import dag, task, task_group

from tests.live.airflow import InProcess
from tests.scenario import Scenario

ITEMS = ["a", "b", "c"]
ONCE_MORE = {"retries": 1, "retry_delay": timedelta(0)}


def fit_file(item: str, folder: str) -> str:
    """Write the item's file, which is broken for b the first time."""
    file = Path(folder) / item
    file.write_text("broken" if item == "b" and not file.exists() else "whole")
    return str(file)


def score_file(file: str) -> str:
    if Path(file).read_text() == "broken":
        raise ValueError(f"{file} is broken")
    return file


@dag(dag_id="r13_obvious", schedule=None, default_args=ONCE_MORE)
def obvious() -> None:
    @task
    def fit(item: str, *, params: dict[str, Any]) -> str:
        return fit_file(item, params["folder"])

    @task
    def score(file: str) -> str:
        return score_file(file)

    @task_group
    def pair(item: str) -> None:
        score(fit(item))

    pair.expand(item=ITEMS)


@dag(dag_id="r13_idiom", schedule=None, default_args=ONCE_MORE)
def idiom() -> None:
    @task
    def fit_and_score(item: str, *, params: dict[str, Any]) -> str:
        return score_file(fit_file(item, params["folder"]))

    fit_and_score.expand(item=ITEMS)


obvious_dag, idiom_dag = obvious(), idiom()


def observe(in_process: InProcess, dag: Any, folder: Path, fit: str, score: str) -> dict[str, Any]:
    folder.mkdir()
    run = dag.test(run_conf={"folder": str(folder)})
    attempts = in_process.attempts(run)
    fits, scores = ({item: attempts[f"{task} {index}"] for index, item in enumerate(ITEMS)} for task in (fit, score))
    ended_well = in_process.states(run)[f"{score} 1"] == "success"
    return {
        "success": run.state == "success",
        "pair_retried": fits["b"] == scores["b"] == 2 and ended_well,
        "others_left_alone": {fits["a"], fits["c"], scores["a"], scores["c"]} == {1},
        "still_two_records": len({fit, score} & set(dag.task_ids)) == 2,
        "runs_of_fit": fits,
        "runs_of_score": scores,
        "unit": "task",
    }


def test_r13_retry_a_pair_as_a_unit(in_process: InProcess, tmp_path: Path, scenario: Scenario) -> None:
    two = observe(in_process, obvious_dag, tmp_path / "two", "pair.fit", "pair.score")
    one = observe(in_process, idiom_dag, tmp_path / "one", "fit_and_score", "fit_and_score")
    scenario.obvious(obvious, **two)
    scenario.idiom(idiom, **one)
    scenario.finding(
        f"In a task group Airflow ran b's fit {two['runs_of_fit']['b']} time and its score {two['runs_of_score']['b']} "
        f"times on the same broken file, and the run {'succeeded' if two['success'] else 'failed'}; as one task both "
        f"ran {one['runs_of_fit']['b']} times and the run {'succeeded' if one['success'] else 'failed'}, at the price "
        "of one record for two steps."
    )
