"""A transaction of Prefect undoes what its finished tasks did, when a later one fails."""

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect import flow, task
from prefect.transactions import Transaction, get_transaction, transaction

from prefect_impl import pipeline
from prefect_impl.run import run
from shared.lib import registry, serving, tracking
from shared.settings import Settings
from tests.live import prefect
from tests.live.watch import until
from tests.scenario import Scenario

MONTH = "2013-06"


@task(task_run_name="put in service")
def put_in_service(version: str, settings: Settings) -> None:
    get_transaction().set("before", (registry.aliases(settings), settings))
    registry.restore({"champion": version}, settings)


@put_in_service.on_rollback
def put_back(transaction: Transaction) -> None:
    registry.restore(*transaction.get("before"))


@task(task_run_name="smoke test")
def smoke_test(version: str, settings: Settings) -> None:
    registry.load(version, settings)


@flow
def deploy_idiom(version: str, settings: Settings) -> None:
    with transaction():
        put_in_service(version, settings)
        smoke_test(version, settings)


def test_r9_rollback(home: Path, source: Path, scenario: Scenario) -> None:
    settings = Settings(tool="prefect", source=str(source), min_rows=100)
    run(MONTH, settings.model_copy(update={"min_rows": 1000}))  # one airport has as many rows: a weaker champion
    run(MONTH, settings)
    registry.restore({"champion": "1"}, settings)  # somebody went back to version 1, and version 2's file rots
    second = tracking.client(settings).get_model_version(settings.model_name, "2")
    (stored,) = settings.mlflow.rglob(f"{Path(second.source).name}/artifacts/model.skops")
    stored.write_bytes(b"")

    plain = observe(UUID(run(MONTH, settings).run_id), "deploy", "smoke test of version 2 failed", settings)
    transacted = deploy_idiom("2", settings, return_state=True).state_details.flow_run_id
    until(lambda: prefect.states(transacted)["put in service"] == "RolledBack")
    undone = observe(transacted, "put in service", "not a zip file", settings)

    assert not plain["native_rollback"]
    assert undone["native_rollback"]
    for seen in (plain, undone):
        assert (seen["champion_serves"], seen["aliases_as_before"], seen["failure_shown"]) == (True, True, True)
    own_code = "the deploy stage's own except clause"
    scenario.obvious(pipeline.deploy, own_code=own_code, **plain)
    scenario.idiom(deploy_idiom, put_in_service, put_back, smoke_test, **undone)
    scenario.finding(
        f"deploy was {plain['state']} after {plain['attempts']} try and {plain['rolled_back_by']} put the aliases "
        f"back; where putting in service and the smoke test are two tasks in a transaction, the first one was "
        f"{undone['state']} by {undone['rolled_back_by']} when the second failed."
    )


def observe(run: UUID, deploy: str, why: str, settings: Settings) -> dict[str, Any]:
    state, deployed = prefect.state(run), prefect.task_run(deploy, run)
    rolled_back = "RolledBack" in prefect.states(run).values()
    with serving.serve_in_thread(serving.create_app(settings)) as url:
        served = httpx.get(f"{url}/health").json()
    return {
        "success": state.is_completed(),
        "champion_serves": served == {"version": "1"},
        "aliases_as_before": registry.aliases(settings) == {"champion": "1"},
        "failure_shown": state.is_failed() and why in state.message,
        "native_rollback": rolled_back,
        "attempts": deployed.run_count,
        "state": deployed.state_name,
        "rolled_back_by": "its on_rollback hook" if rolled_back else "the stage itself",
    }
