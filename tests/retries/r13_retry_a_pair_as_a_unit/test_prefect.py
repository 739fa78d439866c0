"""A Prefect task may call tasks: retries of the outer one repeat the pair."""

from collections import Counter
from pathlib import Path
from typing import Any

from prefect import flow, task, unmapped

from tests.live import prefect
from tests.scenario import Scenario

ITEMS = ["a", "b", "c"]


@task(task_run_name="fit {item}")
def fit(item: str, folder: str) -> str:
    """Write a broken file for b the first time, and a good one after that."""
    file = Path(folder, item)
    broken = item == "b" and not file.exists()
    file.write_text("broken" if broken else "model")
    return str(file)


@task(task_run_name="score {item}")
def score(item: str, file: str) -> float:
    if Path(file).read_text() != "model":
        raise ValueError(f"{file} is broken")
    return 0.5


@flow
def obvious(folder: str) -> list[float]:
    return score.with_options(retries=1).map(ITEMS, fit.map(ITEMS, unmapped(folder))).result()


@task(task_run_name="pair {item}", retries=1)
def pair(item: str, folder: str) -> float:
    return score(item, fit(item, folder))


@flow
def idiom(folder: str) -> list[float]:
    return pair.map(ITEMS, unmapped(folder)).result()


def test_r13_retry_a_pair_as_a_unit(results: Path, tmp_path: Path, scenario: Scenario) -> None:
    alone, together = observe(obvious, tmp_path / "obvious", 6), observe(idiom, tmp_path / "idiom", 11)

    assert not alone["pair_retried"]
    assert together["pair_retried"]
    scenario.obvious(obvious, fit, score, **alone)
    scenario.idiom(idiom, pair, fit, score, **together)
    scenario.finding(
        f"With retries on score alone, fit of b ran {alone['runs_of_fit']['b']} time and score "
        f"{alone['runs_of_score']['b']} times, in vain; in a task that calls both, and has the retries, they ran "
        f"{together['runs_of_fit']['b']} and {together['runs_of_score']['b']} times, with a record of each."
    )


def observe(pipeline: Any, folder: Path, count: int) -> dict[str, Any]:
    folder.mkdir()
    end = pipeline(str(folder), return_state=True)
    task_runs = prefect.task_runs(end.state_details.flow_run_id, count)
    runs: Counter[str] = Counter()
    for task_run in task_runs:
        runs[task_run.name] += task_run.run_count
    fits, scores = ({item: runs[f"{name} {item}"] for item in ITEMS} for name in ("fit", "score"))
    retried = [task_run for task_run in task_runs if task_run.run_count > 1]
    return {
        "success": end.is_completed(),
        "pair_retried": end.is_completed() and fits["b"] == scores["b"] == 2,
        "others_left_alone": all(runs[item] == 1 for runs in (fits, scores) for item in "ac"),
        "still_two_records": all(f"{name} b" in runs for name in ("fit", "score")),
        "runs_of_fit": fits,
        "runs_of_score": scores,
        "unit": f"the task run {retried[0].name}",
    }
