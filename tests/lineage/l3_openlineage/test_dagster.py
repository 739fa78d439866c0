"""The package dagster-openlineage tells what was made, not from what, nor by whose part; the event log has both."""

from pathlib import Path
from typing import Any

import dagster as dg

from dagster_impl.openlineage_events import run_events
from shared.runtime import openlineage
from tests.lineage.l3_openlineage import ERROR, answers
from tests.openlineage import read_events, switched_on
from tests.scenario import Scenario

SOURCE = dg.AssetSpec("source")


class Flights(dg.Config):
    late: int


@dg.asset(deps=[SOURCE])
def features() -> int:
    return 3


@dg.asset
def model(config: Flights, features: int) -> str:
    if not config.late:
        raise ValueError(ERROR)
    return f"model of {features} rows"


QUIET = {"telemetry": {"enabled": False}}


def obvious(folder: Path) -> dg.DagsterInstance:
    """An instance with the package's event log storage around Dagster's own."""
    config = {"base_dir": str(folder / "runs")}
    own = {"module": "dagster._core.storage.event_log", "class": "SqliteEventLogStorage", "config": config}
    storage = {"module": "dagster_openlineage", "class": "OpenLineageEventLogStorage", "config": {"wrapped": own}}
    return dg.DagsterInstance.local_temp(str(folder), overrides={"event_log_storage": storage, **QUIET})


def idiom(folder: Path) -> dg.DagsterInstance:
    return dg.DagsterInstance.local_temp(str(folder), overrides=QUIET)


def translate(result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> None:
    openlineage.emit(*run_events(instance.all_logs(result.run_id)))


def run(instance: dg.DagsterInstance, late: int) -> dg.ExecuteInProcessResult:
    config = dg.RunConfig({"model": Flights(late=late)})
    return dg.materialize([features, model], instance=instance, run_config=config, raise_on_error=False)


def observe(instance_in: Any, folder: Path, **after: Any) -> dict[str, Any]:
    folder.mkdir()
    with switched_on(folder / "log"), instance_in(folder) as instance:
        good, bad = run(instance, late=1), run(instance, late=0)
        if instance_in is idiom:
            translate(good, instance)
            translate(bad, instance)
    assert not bad.success
    return {"success": good.success, **answers(read_events(folder / "log"))}


def test_l3_openlineage(tmp_path: Path, scenario: Scenario) -> None:
    plain, told = (observe(version, tmp_path / version.__name__) for version in (obvious, idiom))
    assert told["graph"] == "source → features, features → model"
    scenario.obvious(obvious, **plain)
    scenario.idiom(
        idiom,
        translate,
        own_code="A translation of the event log at a run's end, around the package's adapter.",
        **told,
    )
    scenario.finding(
        f"The package's storage sends events that connect {plain['graph']} and break {plain['broken_rules']} rules of "
        "the standard: all assets of a run share one run id, and no event names a parent or an error. The package's "
        f"adapter, fed from the event log, sends events that connect {told['graph']}."
    )
