"""Dagster's steps are lost with their Celery worker, unless workers acknowledge late and the broker delivers again.

Two clusters at the same time: while one waits to see that its run does not end, the other one works.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dagster_impl import cluster
from shared.runtime.cluster import Machine
from shared.runtime.cluster import cluster as machines_of
from shared.runtime.records import RunRecord
from tests.live.dagster import Engine
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

RUNS = "{ runsOrError { ... on Runs { results { runId status } } } }"
EVENTS = """query ($run: ID!) { runOrError(runId: $run) { ... on Run { eventConnection { events {
  __typename ... on MessageEvent { stepKey timestamp eventType message }
} } } } }"""
ENDS = ("STEP_UP_FOR_RETRY", "STEP_FAILURE", "RUN_FAILURE", "RUN_CANCELING")
VISIBLE_AFTER = 60


class Loss(NamedTuple):
    """A run on a cluster that has lost a machine."""

    live: Engine
    machines: list[Machine]
    killed: float
    finished: set[str]


def acknowledge_late(folder: Path) -> None:
    """Let workers say that a step is done when it is, and Redis hand on what stays unsaid for too long.

    `dagster-celery worker start -y` writes this module for its worker, from the `config_source` of a YAML file.
    """
    config = {
        "task_acks_late": True,
        "worker_deduplicate_successful_tasks": True,  # a step that outlives the time-out is not run twice
        "broker_transport_options": {"visibility_timeout": VISIBLE_AFTER, "unacked_restore_throttle": 1},
    }
    lines = [f"{name} = {value!r}\n" for name, value in config.items()]
    (folder / "dagster_celery_config.py").write_text("".join(lines))


@contextmanager
def losing(folder: Path, source: Path) -> Iterator[Loss]:
    """Run the pipeline, and lose a worker; the run's own process is on the machine of the web server."""
    with machines_of(folder, 2, cluster.running) as (engine, machines):
        live = Engine(engine.url)
        engine.start(MONTH, settings("dagster", source))
        until(lambda: both_train(machines[1:]))
        finished = {candidate(event) for event in events(live) if event["eventType"] == "STEP_SUCCESS"} - {""}
        assert finished
        yield Loss(live, machines, lose(machines[2]), finished)


def runs(live: Engine) -> dict[str, str]:
    """State by run, the first one first."""
    found = live.query(RUNS)["runsOrError"]["results"]
    return {run["runId"]: run["status"] for run in reversed(found)}


def events(live: Engine) -> list[dict[str, Any]]:
    """Those of all runs: the first one, and those that retry it."""
    return [
        event
        for run in runs(live)
        for event in live.query(EVENTS, run=run)["runOrError"]["eventConnection"]["events"]
        if "eventType" in event
    ]


def candidate(event: dict[str, Any]) -> str:
    """`EWR/waiting`, of a step that trains; else nothing."""
    _, _, key = (event["stepKey"] or "").partition(".train[")
    return short(key.rstrip("]").replace("__", "/", 1))


def observe(loss: Loss, expected: RunRecord) -> dict[str, Any]:
    """What the event log says when the run has ended well, or when its time is over."""
    live, killed = loss.live, loss.killed
    until(lambda: "SUCCESS" in runs(live).values() or time.time() > killed + ENDED_IN, ENDED_IN + 10)
    *_, state = runs(live).values()
    success = state == "SUCCESS"
    attempts, signs = Counter[str](), list[float]()
    for event in events(live):
        begins = event["eventType"] == "STEP_START" and candidate(event)
        attempts.update([begins] if begins else [])
        if event["eventType"] in ENDS or attempts[begins or ""] > 1:
            signs.append(float(event["timestamp"]) / 1000 - killed)
    return {
        "success": success,
        "noticed": min(signs, default=NOTICED_IN + 1) <= NOTICED_IN,
        "finished": success,
        "same_champion": success and is_same(expected, "dagster", loss.machines),
        "only_the_lost": all(attempts[name] == 1 for name in loss.finished),
        "seconds": round(min(signs), 1) if signs else None,
        "run_state": state,
        "attempts": dict(attempts),
    }


@pytest.mark.live
@pytest.mark.own_engine
@pytest.mark.timeout(1200)
def test_s3_lost_worker(
    home: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: Scenario
) -> None:
    expected = undisturbed(home, source)
    with losing(tmp_path / "obvious", source) as loss:
        acknowledge_late(tmp_path)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
        with losing(tmp_path / "idiom", source) as other:
            late = observe(other, expected)
        early = observe(loss, expected)
    assert (early["success"], late["same_champion"]) == (False, True), (early, late)
    assert sorted(late["attempts"].values()) == [1, 1, 1, 1, 1, 2]
    scenario.obvious(cluster.celery_worker, cluster.running, **early, restarted_by="nobody")
    scenario.idiom(acknowledge_late, **late, restarted_by="Celery, which delivered the step's message again")
    scenario.finding(
        f"By default a worker acknowledges a step before it runs it, so a lost one is forgotten: after four minutes "
        f"the run was {early['run_state']}. With task_acks_late and a visibility_timeout of {VISIBLE_AFTER} s (it "
        f"must be longer than the longest step) the step was given to the other worker after {late['seconds']:.0f} s, "
        f"and the run was a {late['run_state']}. No event tells that a worker was lost, but the step's second start."
    )
