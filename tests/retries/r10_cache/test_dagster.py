"""Dagster: a job runs everything again; automation conditions ask for a run only where a data version has changed."""

import time
from pathlib import Path

import dagster as dg
import pytest

from shared.lib.store import sha256
from tests.live.dagster import SCENARIOS, Engine, states
from tests.live.watch import until
from tests.scenario import Scenario

FILES = ("June", "June", "June, issued again")
CHANGED = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.data_version_changed())


@dg.asset
def drop(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    digest = sha256(Path(context.run.tags["file"]).read_bytes())
    return dg.MaterializeResult(data_version=dg.DataVersion(digest))


@dg.asset(deps=[drop], automation_condition=dg.AutomationCondition.eager().replace("any_deps_updated", CHANGED))
def model() -> None: ...


r10_obvious = dg.define_asset_job("r10_obvious", [drop, model], executor_def=dg.in_process_executor)
r10_drop = dg.define_asset_job("r10_drop", [drop], executor_def=dg.in_process_executor)
r10_idiom = dg.AutomationConditionSensorDefinition("r10_idiom", target=[model], minimum_interval_seconds=1)
LIVE = dg.Definitions([drop, model], jobs=[r10_obvious, r10_drop], sensors=[r10_idiom])


def state_by_automation(live: Engine, file: Path) -> str:
    """The state of model after drop has run and the sensor has looked twice; "none" if it asked for no run of it."""
    began = time.time()
    live.wait(live.start("r10_drop", tags={"file": str(file)}))
    ended = time.time()
    until(lambda: len(live.ticks("r10_idiom", ended)) >= 2)
    requested = [run_id for tick in live.ticks("r10_idiom", began) for run_id in tick.run_ids]
    for run_id in requested:
        live.wait(run_id)
    return ", ".join(states(live.instance, run_id)["model"] for run_id in requested) or "none"


@pytest.mark.live
def test_r10_cache(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    file, found = tmp_path / "drop.csv", []
    for text in FILES:
        file.write_text(text)
        run = live.wait(live.start("r10_obvious", tags={"file": str(file)}))
        found.append(states(live.instance, run.run_id).get("model", "none"))
    scenario.obvious(
        drop.op, model.op,
        success=run.is_success,
        skipped_if_unchanged=found[1] == "none",
        runs_if_changed=found[2] == "SUCCESS",
        states=found,
        key="nothing: a run executes all that it is told to",
    )  # fmt: skip

    live.instance.wipe_assets([drop.key, model.key])
    found_by_automation = []
    with live.sensor(SCENARIOS, "r10", "r10_idiom"):
        for text in FILES:
            file.write_text(text)
            found_by_automation.append(state_by_automation(live, file))
    scenario.idiom(
        drop.op, model.op,
        success=found_by_automation[-1] == "SUCCESS",
        skipped_if_unchanged=found_by_automation[:2] == ["SUCCESS", "none"],
        runs_if_changed=found_by_automation[2] == "SUCCESS",
        states=found_by_automation,
        key="data version of the upstream asset (here the file's sha256)",
    )  # fmt: skip
    scenario.finding(
        f"A job runs model each time ({', '.join(found)}); with an automation condition on the data version of drop, "
        f"the daemon runs it only when the file has changed ({', '.join(found_by_automation)})."
    )
