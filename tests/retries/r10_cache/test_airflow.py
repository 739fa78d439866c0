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


def test_r10_cache(in_process: InProcess, tmp_path: Path, scenario: Scenario) -> None:
    file = tmp_path / "flights.csv"
    seen = {}
    for dag_of_version, record, code, own, key in (
        (obvious_dag, scenario.obvious, obvious, {}, "none"),
        (
            idiom_dag,
            scenario.idiom,
            idiom,
            {"own_code": "Airflow has no cache: the Dag itself compares the digest with the last asset event's extra."},
            "sha256 in the extra of the asset's last event",
        ),
    ):
        runs = []
        for content in ("May", "May", "June"):
            file.write_text(content)
            runs.append(dag_of_version.test(run_conf={"file": str(file)}))
        states = seen[code] = [in_process.states(run)["model"] for run in runs]
        assert states[0] == "success"
        record(
            code,
            success=all(run.state == "success" for run in runs),
            skipped_if_unchanged=states[1] == "skipped",
            runs_if_changed=states[2] == "success",
            states=states,
            key=key,
            **own,
        )
    scenario.finding(
        f"In three rounds model ended {', '.join(seen[obvious])}: Airflow keeps no results to use again; with a "
        f"short_circuit that compares digests, and the asset's events as its memory, {', '.join(seen[idiom])}."
    )
