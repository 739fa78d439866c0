"""Airflow queues what is scheduled on the source, whatever its content; nothing in it is out of date beyond that."""

from pathlib import Path
from typing import Any

from airflow.models.asset import AssetDagRunQueue
from airflow.sdk import Asset, dag, task
from airflow.utils.session import create_session
from sqlalchemy import delete, select

from shared.lib.store import sha256
from tests.live.airflow import InProcess
from tests.scenario import Scenario

OBVIOUS = Asset("l4_obvious_source"), Asset("l4_obvious_features")
IDIOM = Asset("l4_idiom_source"), Asset("l4_idiom_features")


def digest(params: dict[str, Any]) -> str:
    return sha256(Path(params["file"]).read_bytes())


@dag(dag_id="l4_obvious_report", schedule=None)
def report_obvious() -> None:
    @task(outlets=[OBVIOUS[0]])
    def report(*, params: dict[str, Any]) -> str:
        return digest(params)

    report()


@dag(dag_id="l4_idiom_report", schedule=None)
def report_idiom() -> None:
    @task.short_circuit(inlets=[IDIOM[0]])
    def changed(*, params: dict[str, Any], inlet_events: Any) -> bool:
        events = inlet_events[IDIOM[0]]
        return len(events) == 0 or events[-1].extra["sha256"] != digest(params)

    @task(outlets=[IDIOM[0]])
    def report(*, params: dict[str, Any], outlet_events: Any) -> None:
        outlet_events[IDIOM[0]].extra = {"sha256": digest(params)}

    changed() >> report()


def pipeline(version: str, source: Asset, features: Asset, waits_for: Any) -> tuple[Any, Any]:
    """A Dag that makes the features when there is an event of the source, and one that makes the model."""

    @dag(dag_id=f"l4_{version}_features", schedule=[source])
    def make_features() -> None:
        @task(task_id="features", outlets=[features])
        def of_source() -> str:
            return "features"

        of_source()

    @dag(dag_id=f"l4_{version}_model", schedule=waits_for)
    def make_model() -> None:
        @task(task_id="model")
        def of_features() -> str:
            return "model"

        of_features()

    return make_features(), make_model()


OBVIOUS_DAGS = (report_obvious(), *pipeline("obvious", *OBVIOUS, waits_for=[OBVIOUS[1]]))
IDIOM_DAGS = (report_idiom(), *pipeline("idiom", *IDIOM, waits_for=IDIOM[0] & IDIOM[1]))


def queued(version: str) -> list[str]:
    """The Dags that are to run, and for which asset: `/api/v2/dags/{dag_id}/assets/queuedEvents` tells it, too."""
    with create_session() as session:
        found = session.scalars(select(AssetDagRunQueue).where(AssetDagRunQueue.target_dag_id.like(f"l4_{version}%")))
        lines = [f"{each.target_dag_id}: {each.asset.name} updated" for each in found]
    return sorted(line.replace(f"l4_{version}_", "") for line in lines)


def start_queued() -> None:
    """Empty the queue, as the scheduler does when it starts what is in it."""
    with create_session() as session:
        session.execute(delete(AssetDagRunQueue))


def observe(version: str, dags: tuple[Any, ...], file: Path) -> dict[str, Any]:
    conf = {"file": str(file)}
    file.write_text("May")
    ended = [each.test(run_conf=conf) for each in dags]
    start_queued()
    ended.append(dags[0].test(run_conf=conf))
    same = queued(version)
    start_queued()
    file.write_text("May, corrected")
    ended.append(dags[0].test(run_conf=conf))
    changed = queued(version)
    return {
        "success": all(run.state == "success" for run in ended),
        "knows_features": any(line.startswith("features: ") for line in changed),
        "knows_model": any(line.startswith("model: ") for line in changed),
        "cause": bool(changed) and all(": source " in line for line in changed),
        "same_content": bool(changed) and not same,
        "same": same,
        "changed": changed,
    }


def test_l4_source_reissued(in_process: InProcess, tmp_path: Path, scenario: Scenario) -> None:
    plain = observe("obvious", OBVIOUS_DAGS, tmp_path / "May.csv")
    told = observe("idiom", IDIOM_DAGS, tmp_path / "May.csv")
    scenario.obvious(report_obvious, pipeline, **plain)
    scenario.idiom(
        report_idiom,
        pipeline,
        own_code="Airflow compares no contents: the Dag itself compares the file's digest with the asset's last event.",
        **told,
    )
    scenario.finding(
        f"Airflow has no data that is out of date, only Dags that are to run. An event of the source queues the "
        f"features' Dag ({'; '.join(plain['changed'])}), also if the content is the same. The model's Dag is queued "
        f"by then only if it waits for both, source and features ({'; '.join(told['changed'])}); and that nothing has "
        f"changed a Dag must find out itself, by a short_circuit before the event."
    )
