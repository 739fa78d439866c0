"""Dagster waits for PostgreSQL; a run whose broker is away fails at once, and the daemon launches another one."""

import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dagster_impl import cluster
from shared.runtime.cluster import cluster as machines_of
from shared.runtime.records import RunRecord
from shared.runtime.valkey import valkey
from tests.live.dagster import Engine
from tests.live.watch import until
from tests.scale.s3_lost_worker import MONTH, both_train, is_same, settings, undisturbed
from tests.scale.s3_lost_worker.test_dagster import candidate, events, runs
from tests.scale.s5_restarted_services import ENDED_IN, FAULTS, answers, asked, database, restarted
from tests.scenario import Scenario


def observe(fault: str, folder: Path, source: Path, expected: RunRecord) -> dict[str, Any]:
    """Run the pipeline with the fault, and read the event log when the run has ended well, or its time is over."""
    with ExitStack() as stack:
        engine, machines = stack.enter_context(machines_of(folder, 2, cluster.running))
        live = Engine(engine.url)
        engine.start(MONTH, settings("dagster", source))
        until(lambda: both_train(machines[1:]))
        broker = machines[0].env["CELERY_BROKER_URL"], partial(valkey, machines[0].folder / "valkey")
        killed = stack.enter_context(restarted(machines, *(broker if fault == "broker" else database(machines))))
        until(lambda: "SUCCESS" in (asked(lambda: runs(live)) or {}).values() or time.time() > killed + ENDED_IN, 250)
        states, log = until(lambda: asked(lambda: (list(runs(live).values()), events(live))), 60)
        ends = [float(event["timestamp"]) / 1000 - killed for event in log if event["eventType"] == "RUN_SUCCESS"]
        return {
            "success": bool(ends),
            "same": bool(ends) and is_same(expected, "dagster", machines),
            "seconds": round(ends[0], 1) if ends else None,
            "run_state": ", then ".join(states),
            "attempts": Counter(
                candidate(event) for event in log if event["eventType"] == "STEP_START" and candidate(event)
            ),
        }


@pytest.mark.live
@pytest.mark.own_engine
@pytest.mark.timeout(1800)
def test_s5_restarted_services(home: Path, source: Path, tmp_path: Path, scenario: Scenario) -> None:
    expected = undisturbed(home, source)
    seen = {fault: observe(fault, tmp_path / fault, source, expected) for fault in FAULTS}
    found = answers(seen)
    assert found["same_champion"], seen
    state, seconds = found["run_state"], found["seconds"]
    assert state == {"broker": "FAILURE, then SUCCESS", "database": "SUCCESS"}, seen
    scenario.obvious(cluster.running, cluster.celery_worker, **found)
    scenario.finding(
        f"Whatever writes to PostgreSQL tries again for some seconds: {state['database']} after "
        f"{seconds['database']:.0f} s. A run asks the broker for the results of its steps, and fails as soon as that "
        f"is away; the daemon's run retry (off by default, on in this product) launched another run, which trained all "
        f"candidates anew: {state['broker']} after {seconds['broker']:.0f} s."
    )
