"""Prefect looks for a task's result under the key that its cache policy computes, and says Cached when it finds one."""

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import INPUTS, TASK_SOURCE

from shared.lib.store import sha256
from tests.live import prefect
from tests.scenario import Scenario


@task(task_run_name="drop")
def drop(file: str) -> str:
    return sha256(Path(file).read_bytes())


@task(task_run_name="model")
def model_obvious(digest: str) -> str:
    return f"model of {digest}"


@flow
def obvious(file: str) -> str:
    return model_obvious(drop(file))


@task(task_run_name="model", cache_policy=INPUTS + TASK_SOURCE)
def model_idiom(digest: str) -> str:
    return f"model of {digest}"


@flow
def idiom(file: str) -> str:
    return model_idiom(drop(file))


def test_r10_cache(results: Path, tmp_path: Path, scenario: Scenario) -> None:
    plain, cached = (observe(pipeline, tmp_path / "drop.csv") for pipeline in (obvious, idiom))

    assert plain["states"] == ["Completed", "Completed", "Completed"]
    assert cached["states"] == ["Completed", "Cached", "Completed"]
    scenario.obvious(obvious, model_obvious, drop, **plain)
    scenario.idiom(idiom, model_idiom, drop, **cached)
    scenario.finding(
        f"By default model was {', '.join(plain['states'])} in three rounds; with INPUTS + TASK_SOURCE it was "
        f"{', '.join(cached['states'])}: the key is {cached['key']}, so hand on a file's digest and not its path."
    )


def observe(pipeline: Any, file: Path) -> dict[str, Any]:
    states, keys = [], []
    for content in ("a", "a", "b"):
        file.write_text(content)
        end = pipeline(str(file), return_state=True)
        assert end.result() == f"model of {sha256(content.encode())}"
        model = prefect.task_run("model", end.state_details.flow_run_id)
        states.append(model.state_name)
        keys.append(prefect.task_history(model)[-1].data)
    names = [Path(key.storage_key).name if key and key.storage_key else None for key in keys]
    same = names[0] and names[0] == names[1] != names[2]  # the key is the name of the result's file
    return {
        "success": end.is_completed(),
        "skipped_if_unchanged": states[1] == "Cached",
        "runs_if_changed": states[2] == "Completed",
        "states": states,
        "key": "a hash of the task's arguments and source" if same else "none",
    }
