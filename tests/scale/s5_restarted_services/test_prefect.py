"""Prefect waits for PostgreSQL; what Dask's scheduler knew is lost, and its workers end: both have to begin again."""

import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from prefect_impl import cluster
from shared.runtime import servers
from shared.runtime.cluster import cluster as machines_of
from shared.runtime.records import RunRecord
from tests.live import prefect
from tests.live.watch import until
from tests.scale.s3_lost_worker import MONTH, both_train, is_same, settings, short, undisturbed
from tests.scale.s3_lost_worker.test_prefect import candidates, runs, states_of, waiting_ones
from tests.scale.s5_restarted_services import ENDED_IN, FAULTS, answers, asked, database, restarted, supervised
from tests.scenario import Scenario

FLOW_RETRIES = {"PREFECT_FLOWS_DEFAULT_RETRIES": "3", "PREFECT_FLOWS_DEFAULT_RETRY_DELAY_SECONDS": "10"}


def observe(fault: str, folder: Path, source: Path, expected: RunRecord) -> dict[str, Any]:
    """Run the pipeline with the fault, and read Prefect's records when the run has ended, or its time is over."""
    with ExitStack() as stack:
        _, machines = stack.enter_context(machines_of(folder, 2, cluster.running))
        cluster.start(MONTH, settings("prefect", source))
        run = until(runs)[0]
        until(lambda: both_train(machines[1:]) and waiting_ones(run) == 2)
        broker = machines[0].env["DASK_SCHEDULER"], partial(cluster.scheduler, machines[0])
        killed = stack.enter_context(restarted(machines, *(broker if fault == "broker" else database(machines))))

        def ended() -> bool:
            state = asked(lambda: prefect.state(run))
            return bool(state and (state.is_completed() or state.is_failed()))

        until(lambda: ended() or time.time() > killed + ENDED_IN, ENDED_IN + 60)
        state = until(lambda: asked(lambda: prefect.state(run)), 60)
        attempts = Counter[str]()
        for task_run in candidates(run):
            states = states_of(task_run)
            attempts[short(task_run.name)] += sum(s.is_running() for s in states) - sum(
                s.name == "Cached" for s in states
            )
        success = state.is_completed()
        return {
            "success": success,
            "same": success and is_same(expected, "prefect", machines),
            "seconds": round(state.timestamp.timestamp() - killed, 1) if success else None,
            "run_state": state.name,
            "attempts": dict(attempts),
        }


@pytest.mark.live
@pytest.mark.own_engine
@pytest.mark.timeout(1800)
def test_s5_restarted_services(
    home: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: Scenario
) -> None:
    expected = undisturbed(home, source)
    monkeypatch.delenv("PREFECT_CLIENT_MAX_RETRIES")  # the default holds: the tests' own is for SQLite
    seen = {fault: observe(fault, tmp_path / fault, source, expected) for fault in FAULTS}
    for name, value in FLOW_RETRIES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(servers, "guarded", supervised)
    again = {**seen, "broker": observe("broker", tmp_path / "broker, idiom", source, expected)}
    assert [fault for fault in FAULTS if not seen[fault]["success"]] == ["broker"], seen
    assert answers(again)["same_champion"], again
    scenario.obvious(cluster.running, cluster.deploy, cluster.dask_worker, **answers(seen))
    scenario.idiom(supervised, **answers(again))
    scenario.finding(
        f"What Dask's scheduler knows is in its memory only: after its end the run was {seen['broker']['run_state']}, "
        f"as the results of all candidates were lost to it, and Dask's workers ended, too. With workers that are "
        f"started again and retries of the flow (PREFECT_FLOWS_DEFAULT_RETRIES) it was {again['broker']['run_state']} "
        f"after {again['broker']['seconds']:.0f} s, and took from the cache which candidates had been trained. The "
        f"database's outage was waited for ({seen['database']['run_state']} after {seen['database']['seconds']:.0f} s)."
    )
