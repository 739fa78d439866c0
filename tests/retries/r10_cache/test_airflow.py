"""Airflow has no cache of results; a short circuit can ask the last event of an asset what it was made from."""

import hashlib
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, dag, task

from tests.live.airflow import InProcess
from tests.scenario import Scenario

MODEL = Asset("r10_model")


def digest(file: str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


@dag(dag_id="r10_obvious", schedule=None)
def obvious() -> None:
    @task
    def drop(*, params: dict[str, Any]) -> str:
        return digest(params["file"])

    @task
    def model(sha256: str) -> str:
        return f"model of {sha256}"

    model(drop())


@dag(dag_id="r10_idiom", schedule=None)
def idiom() -> None:
    @task
    def drop(*, params: dict[str, Any]) -> str:
        return digest(params["file"])

    @task.short_circuit(inlets=[MODEL])
    def changed(sha256: str, *, inlet_events: Any) -> bool:
        events = inlet_events[MODEL]
        return len(events) == 0 or events[-1].extra["sha256"] != sha256

    @task(outlets=[MODEL])
    def model(sha256: str, *, outlet_events: Any) -> str:
        outlet_events[MODEL].extra = {"sha256": sha256}
        return f"model of {sha256}"

    dropped = drop()
    changed(dropped) >> model(dropped)


obvious_dag, idiom_dag = obvious(), idiom()


def observe(in_process: InProcess, dag: Any, file: Path) -> dict[str, Any]:
    """Run the Dag in three rounds: twice with the same file, once with another."""
    runs = []
    for content in ("May", "May", "June"):
        file.write_text(content)
        runs.append(dag.test(run_conf={"file": str(file)}))
    states = [in_process.states(run)["model"] for run in runs]
    assert states[0] == "success"
    return {
        "success": all(run.state == "success" for run in runs),
        "skipped_if_unchanged": states[1] == "skipped",
        "runs_if_changed": states[2] == "success",
        "states": states,
    }


def test_r10_cache(in_process: InProcess, tmp_path: Path, scenario: Scenario) -> None:
    plain, keyed = (observe(in_process, dag, tmp_path / "flights.csv") for dag in (obvious_dag, idiom_dag))
    scenario.obvious(obvious, key="none", **plain)
    scenario.idiom(
        idiom,
        own_code="Airflow has no cache: the Dag itself compares the file's digest with the asset's last event.",
        key="sha256 in the asset's last event",
        **keyed,
    )
    scenario.finding(
        f"In three rounds model ended {', '.join(plain['states'])}: Airflow keeps no results to use again; with a "
        f"short_circuit that compares digests, and the asset's events as its memory, {', '.join(keyed['states'])}."
    )
