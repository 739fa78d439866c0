"""Airflow's scheduler misses the heartbeats of the lost machine's task, and the other machine tries it again."""

import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.live.airflow import CHANGED, ENDED, Engine, product_alone
from tests.live.watch import until
from tests.scale.s3_lost_worker import (
    ENDED_IN,
    MONTH,
    NOTICED_IN,
    both_train,
    is_same,
    lose,
    settings,
    short,
    undisturbed,
)
from tests.scenario import Scenario


@pytest.mark.live
@pytest.mark.own_engine
@pytest.mark.timeout(1200)
def test_s3_lost_worker(
    home: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: Scenario
) -> None:
    from airflow_impl import cluster
    from shared.runtime.cluster import cluster as machines_of

    expected = undisturbed(home, source)
    for name, value in {**CHANGED, **product_alone()}.items():
        monkeypatch.setenv(name, value)
    with machines_of(tmp_path / "cluster", 2, cluster.running) as (engine, machines):
        live = Engine(engine.url.removesuffix("/dags/late_flights"), tmp_path)
        engine.start(MONTH, settings("airflow", source))
        (run,) = live.runs("late_flights")
        until(lambda: both_train(machines[1:]) and list(live.states(run).values()).count("running") == 2)
        before = live.tasks(run)
        finished = [name for name, task in before.items() if "/" in name and task["state"] == "success"]
        assert finished
        killed = lose(machines[2])
        until(lambda: live.state(run) in ENDED or time.time() > killed + ENDED_IN, ENDED_IN + 10)
        state, attempts = live.state(run), live.attempts(run)
        timed_out = live.get("eventLogs", run_id=run.run_id, event="heartbeat timeout")["event_logs"]
        same = state == "success" and is_same(expected, "airflow", machines)
    lost = [name for name, task in before.items() if task["state"] == "running" and attempts[name] > 1]
    assert [before[name]["hostname"] for name in lost] == [machines[2].env["ADDRESS"]], attempts
    assert (state, same) == ("success", True)
    seconds = min(datetime.fromisoformat(event["when"]).timestamp() - killed for event in timed_out)
    scenario.obvious(
        cluster.running, cluster.variables, cluster.celery_worker,
        success=state == "success",
        noticed=seconds <= NOTICED_IN,
        finished=state == "success",
        same_champion=same,
        only_the_lost=all(attempts[name] == 1 for name in finished),
        seconds=round(seconds, 1),
        run_state=state,
        attempts={short(name): tries for name, tries in attempts.items() if "/" in name},
        restarted_by="the scheduler, as a retry",
    )  # fmt: skip
    timeout = CHANGED["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"]
    scenario.finding(
        f"Each task sends heartbeats: {seconds:.0f} s after the kill, when the lost one had sent none for {timeout} s "
        f"(by default 300 s, which is later than both limits here), the scheduler had it tried again on the other "
        f"machine, it alone ({attempts[lost[0]]} attempts), and the run ended as a {state}."
    )
