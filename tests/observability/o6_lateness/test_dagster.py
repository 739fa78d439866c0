"""Dagster tells of data that are late, not of runs: of an asset with a freshness policy, made too long ago."""

import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import dagster as dg
import httpx
import pytest
from dagster._core.events import StepMaterializationData
from dagster._core.instance.utils import RUNLESS_JOB_NAME, RUNLESS_RUN_ID

from tests.live.dagster import SCENARIOS, Engine
from tests.live.watch import until
from tests.scenario import Scenario
from tests.webhook import Webhook, lateness_of, least, webhook

LIMIT = timedelta(seconds=60)
NAMES = ("late", "on_time", "failed", "waiting", "missing")


class Config(dg.Config):
    gate: str
    fails: bool = False


def policy(limit: timedelta) -> dg.FreshnessPolicy:
    return dg.FreshnessPolicy.time_window(fail_window=limit)


def obvious(name: str) -> dg.AssetsDefinition:
    @dg.asset(name=f"o6_{name}", freshness_policy=policy(LIMIT), pool="o6_none" if name == "waiting" else None)
    def report(config: Config) -> None:
        if config.fails:
            raise ValueError("failed in time")
        until(Path(config.gate).exists)

    return report


def idiom(name: str) -> dg.AssetsDefinition:
    """An asset that sends a message when it is made: by the daemon, when the asset before it is no longer fresh."""
    stale = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.freshness_failed())

    @dg.asset(name=f"o6_told_{name}", deps=[f"o6_{name}"], automation_condition=stale.newly_true())
    def tell(context: dg.AssetExecutionContext) -> None:
        made = context.instance.get_latest_materialization_event(dg.AssetKey(f"o6_{name}"))
        url = made.asset_materialization.metadata["webhook"].value
        httpx.post(url, json={"run": name}, trust_env=False).raise_for_status()

    return tell


LATE = [obvious(name) for name in NAMES]
TOLD = [idiom(name) for name in NAMES]
LIVE = dg.Definitions(
    assets=[*LATE, *TOLD],
    jobs=[dg.define_asset_job(f"o6_{name}_job", selection=[f"o6_{name}"]) for name in NAMES],
    sensors=[dg.AutomationConditionSensorDefinition("o6_idiom", target=TOLD, minimum_interval_seconds=5)],
    executor=dg.in_process_executor,
)


def start(name: str, live: Engine, **config: object) -> str:
    return live.start(f"o6_{name}_job", {"ops": {f"o6_{name}": {"config": config}}})


def made_before(name: str, age: float, live: Engine, hook: Webhook) -> float:
    """Write into the event log that the asset was made some seconds ago; returns when."""
    made = dg.AssetMaterialization(f"o6_{name}", metadata={"webhook": hook.url})
    data, then = StepMaterializationData(made), time.time() - age
    event = dg.DagsterEvent("ASSET_MATERIALIZATION", RUNLESS_JOB_NAME, event_specific_data=data)
    live.instance.report_dagster_event(event, RUNLESS_RUN_ID, timestamp=then)
    return then


def states(live: Engine) -> dict[str, str]:
    """The freshness of each asset, as the daemon has found it and the UI shows it."""
    found = live.instance.get_freshness_state_records([dg.AssetKey(f"o6_{name}") for name in NAMES])
    return {key.to_user_string().removeprefix("o6_"): each.freshness_state.value for key, each in found.items()}


@pytest.mark.live
def test_o6_lateness(live: Engine, scenario: Scenario, tmp_path: Path) -> None:
    gate, names = tmp_path / "gate", {name: name for name in NAMES}
    stale = names.keys() - {"on_time"}
    live.instance.event_log_storage.set_concurrency_slots("o6_none", 0)
    with webhook() as hook, ExitStack() as stack:
        stack.callback(gate.touch)
        late, waiting = start("late", live, gate=str(gate)), start("waiting", live, gate=str(gate))
        failed, on_time = start("failed", live, gate="", fails=True), start("on_time", live, gate=str(tmp_path))
        assert not live.wait(failed).is_success
        live.event(late, dg.DagsterEventType.STEP_START)
        due = made_before("late", 55, live, hook) + LIMIT.total_seconds()
        for name in stale - {"late"}:
            made_before(name, 55, live, hook)
        assert live.wait(on_time).is_success
        until(lambda: {name for name, state in states(live).items() if state == "FAIL"} == stale, 60)
        hook.wait_until_quiet()
        by_policy = lateness_of(hook, names, not live.run(late).is_finished, due)
        with live.sensor(SCENARIOS, "o6", "o6_idiom"):
            hook.wait(lambda: {each.message["run"] for each in hook.deliveries} >= stale)
            running = not live.run(late).is_finished
            hook.wait_until_quiet()
        by_automation = lateness_of(hook, names, running, due)
    live.instance.event_log_storage.set_concurrency_slots("o6_none", 1)
    success, limit = live.wait(late).is_success and live.wait(waiting).is_success, least(policy)
    scenario.obvious(obvious, success=success, least=limit, **by_policy)
    scenario.idiom(idiom, obvious, success=success, least=limit, **by_automation)
    scenario.finding(
        "A freshness policy belongs to an asset, not to a run: a minute after the asset was last made, the UI shows it "
        "as failing, whether its run takes too long, has failed, waits or was never asked for (noticed: "
        f"{', '.join(sorted(stale))}). The open source version sends no message by itself; an asset with the "
        "automation condition `freshness_failed` does, once for each. That a run takes long while its data are still "
        "fresh, only a sensor of your own would notice."
    )
