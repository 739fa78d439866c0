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


def test_r13_retry_a_pair_as_a_unit(in_process: InProcess, tmp_path: Path, scenario: Scenario) -> None:
    seen = {}
    for dag_of_version, record, code, fit, score in (
        (obvious_dag, scenario.obvious, obvious, "pair.fit", "pair.score"),
        (idiom_dag, scenario.idiom, idiom, "fit_and_score", "fit_and_score"),
    ):
        (tmp_path / code.__name__).mkdir()
        run = dag_of_version.test(run_conf={"folder": str(tmp_path / code.__name__)})
        attempts, states = in_process.attempts(run), in_process.states(run)
        fits, scores = ({item: attempts[f"{task} {i}"] for i, item in enumerate(ITEMS)} for task in (fit, score))
        seen[code] = {"fit": fits["b"], "score": scores["b"], "state": states[f"{score} 1"]}
        record(
            code,
            success=run.state == "success",
            pair_retried=fits["b"] == scores["b"] == 2 and states[f"{score} 1"] == "success",
            others_left_alone={fits["a"], fits["c"], scores["a"], scores["c"]} == {1},
            still_two_records=fit in dag_of_version.task_ids and score in dag_of_version.task_ids and fit != score,
            runs_of_fit=fits,
            runs_of_score=scores,
            unit="a task",
        )
    assert seen[obvious]["state"] == "failed"
    scenario.finding(
        f"In a task group Airflow ran b's fit {seen[obvious]['fit']} time and its score {seen[obvious]['score']} times "
        f"on the same broken file, and score ended {seen[obvious]['state']}; as one task both ran {seen[idiom]['fit']} "
        f"times and ended {seen[idiom]['state']}, at the price of one record for two steps."
    )
