"""Airflow's tasks wait for Valkey by their retries, and for PostgreSQL with the API server; the scheduler ends."""

import time
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shared.runtime import servers
from tests.live.airflow import CHANGED, ENDED, Engine, path_of, product_alone
from tests.live.watch import until
from tests.scale.s3_lost_worker import MONTH, both_train, is_same, settings, short, undisturbed
from tests.scale.s5_restarted_services import ENDED_IN, FAULTS, answers, asked, database, restarted, supervised
from tests.scenario import Scenario


def observe(fault: str, folder: Path, source: Path, expected: Any) -> dict[str, Any]:
    """Run the pipeline with the fault, and read Airflow's records when the run has ended, or its time is over."""
    from airflow_impl import cluster
    from shared.runtime.cluster import cluster as machines_of
    from shared.runtime.valkey import valkey

    with ExitStack() as stack:
        engine, machines = stack.enter_context(machines_of(folder, 2, cluster.running))
        live = Engine(engine.url.removesuffix("/dags/late_flights"), folder)
        engine.start(MONTH, settings("airflow", source))
        (run,) = live.runs("late_flights")
        until(lambda: both_train(machines[1:]) and list(live.states(run).values()).count("running") == 2)
        broker = machines[0].env["AIRFLOW__CELERY__BROKER_URL"], partial(valkey, machines[0].folder / "valkey")
        killed = stack.enter_context(restarted(machines, *(broker if fault == "broker" else database(machines))))
        until(lambda: asked(lambda: live.state(run)) in ENDED or time.time() > killed + ENDED_IN, ENDED_IN + 60)
        found, attempts = until(lambda: asked(lambda: (live.get(path_of(run)), live.attempts(run))), 60)
        success = found["state"] == "success"
        return {
            "success": success,
            "same": success and is_same(expected, "airflow", machines),
            "seconds": round(datetime.fromisoformat(found["end_date"]).timestamp() - killed, 1) if success else None,
            "run_state": found["state"],
            "attempts": {short(name): tries for name, tries in attempts.items() if "/" in name},
        }


@pytest.mark.live
@pytest.mark.own_engine
@pytest.mark.timeout(1800)
def test_s5_restarted_services(
    home: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: Scenario
) -> None:
    from airflow_impl import cluster

    expected = undisturbed(home, source)
    for name, value in {**CHANGED, **product_alone()}.items():
        monkeypatch.setenv(name, value)
    seen = {fault: observe(fault, tmp_path / fault, source, expected) for fault in FAULTS}
    monkeypatch.setattr(servers, "guarded", supervised)
    again = {**seen, "database": observe("database", tmp_path / "database, idiom", source, expected)}
    assert [fault for fault in FAULTS if not seen[fault]["success"]] == ["database"], seen
    assert answers(again)["same_champion"], again
    assert max(seen["broker"]["attempts"].values()) > 1  # at what could not be handed out
    scenario.obvious(cluster.running, cluster.variables, cluster.celery_worker, **answers(seen))
    scenario.idiom(supervised, **answers(again))
    scenario.finding(
        f"A task that can't be handed to the broker is a failed try, so that retries carried the run over that outage "
        f"({max(seen['broker']['attempts'].values())} attempts at most, {seen['broker']['run_state']} after "
        f"{seen['broker']['seconds']:.0f} s). The scheduler ends when its database does, and nobody went on with the "
        f"run, which was {seen['database']['run_state']} for four minutes; with a scheduler that is started again it "
        f"was a {again['database']['run_state']} after {again['database']['seconds']:.0f} s."
    )
