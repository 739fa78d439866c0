"""Clearing the failed tasks is Airflow's resume: the same run goes on, with the code that is there now."""

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import dag, task

from tests.live.airflow import SESSION, Engine
from tests.scenario import Scenario

FILES = {"a": "a.csv", "b": "b.csv", "c": "c.csv"}


@dag(dag_id="r5_obvious", schedule=None)
def obvious() -> None:
    @task
    def fit(candidate: str, *, params: dict[str, Any]) -> str:
        return Path(params["folder"], FILES[candidate]).read_text()

    @task
    def collect(fitted: list[str]) -> list[str]:
        return list(fitted)

    collect(fit.expand(candidate=["a", "b", "c"]))


obvious_dag = obvious()


@pytest.mark.live
def test_r5_resume_after_a_fix(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    for file in ("a.csv", "c.csv", "new name of b.csv"):
        (tmp_path / file).write_text(file)
    by_file, by_code = (live.start("r5_obvious", {"folder": str(tmp_path)}) for _ in range(2))
    assert [live.wait(run) for run in (by_file, by_code)] == ["failed", "failed"]
    before = live.tasks(by_file)
    assert live.states(by_file) == {
        "collect": "upstream_failed",
        "fit 0": "success",
        "fit 1": "failed",
        "fit 2": "success",
    }

    name = Path(__file__).parent.name
    dag_file = SESSION["dags"] / name / f"{name}.py"
    dag_file.unlink()
    dag_file.write_text(Path(__file__).read_text().replace('"b.csv"', '"new name of b.csv"'))  # mends the code
    try:
        live.clear_failed(by_code)
        new_code = live.wait(by_code)
    finally:
        dag_file.unlink()
        dag_file.symlink_to(__file__)

    (tmp_path / "b.csv").write_text("b.csv")  # mends the data
    cleared = live.clear_failed(by_file)
    state = live.wait(by_file)
    after, attempts = live.tasks(by_file), live.attempts(by_file)
    scenario.obvious(
        obvious,
        success=state == "success",
        finished_reused=all(after[task]["start_date"] == before[task]["start_date"] for task in ("fit 0", "fit 2")),
        failed_runs_again=attempts["fit 1"] == 2 and after["collect"]["state"] == "success",
        run_succeeds=state == "success" and live.result(by_file, "collect") == ["a.csv", "b.csv", "c.csv"],
        new_code_used=new_code == "success" and live.result(by_code, "collect")[1] == "new name of b.csv",
        attempts=attempts,
        resume="clear the failed tasks",
        record="the same run" if set(live.runs("r5_obvious")) == {by_file, by_code} else "a new run",
    )
    scenario.finding(
        f"Clearing what had failed ran {' and '.join(cleared)} again in the same run, which ended {state}; fit 0 and "
        f"fit 2 kept their {attempts['fit 0']} attempt, and after a mend of the code the clear used the new code."
    )
