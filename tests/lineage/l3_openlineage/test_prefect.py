"""Prefect has no OpenLineage integration; its events tell all that is needed, to whom translates them."""

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.assets import materialize

from prefect_impl.openlineage_events import all_events, run_events
from shared.runtime import openlineage
from tests.lineage.l3_openlineage import ERROR, answers
from tests.live import prefect
from tests.openlineage import read_events, switched_on
from tests.scenario import Scenario


@materialize("l3://features", asset_deps=["l3://source"])
def features() -> dict[str, int]:
    return {"rows": 3}


@materialize("l3://model")
def model(table: dict[str, int], late: int) -> str:
    if not late:
        raise ValueError(ERROR)
    return f"model of {table}"


@flow
def obvious(late: int) -> None:
    model(features(), late)


def translate(flow: Any, flow_run: Any, state: Any) -> None:
    """The hook: send the flow run's events in OpenLineage's words."""
    with prefect.client() as api:
        openlineage.emit(*run_events(all_events(flow_run.id, api)))


@flow(on_completion=[translate], on_failure=[translate])
def idiom(late: int) -> None:
    model(features(), late)


def observe(pipeline: Any, log: Path) -> dict[str, Any]:
    with switched_on(log):
        good, bad = (pipeline(late, return_state=True) for late in (1, 0))
    assert bad.is_failed()
    return {"success": good.is_completed(), **answers(read_events(log))}


def test_l3_openlineage(results: Path, tmp_path: Path, scenario: Scenario) -> None:
    plain, told = (observe(pipeline, tmp_path / pipeline.name) for pipeline in (obvious, idiom))
    assert not plain["emits"]
    assert told["graph"] == "source → features, features → model"
    scenario.obvious(obvious, **plain)
    scenario.idiom(idiom, translate, own_code="A translator from Prefect's events to OpenLineage's.", **told)
    scenario.finding(
        "Prefect sends no OpenLineage events, whatever the standard variables say. Those translated from its own "
        f"events connect {told['graph']} and break {told['broken_rules']} rules of the standard. The error of an "
        "attempt that is tried again is missing, as Prefect does not keep it."
    )
