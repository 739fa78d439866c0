"""Retries and recovery in Airflow, on its own engine: `dag.test()`, or a live scheduler where processes are killed."""

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from airflow.sdk import RetryDecision, RetryPolicy, dag, task

from shared.lib import store
from shared.settings import Settings
from tests.evidence import Evidence
from tests.faults import Kill, scripted_source
from tests.live.airflow import HEARTBEAT_SECONDS, Engine, InProcess, conf, poll

SOON = timedelta(seconds=1)


def seconds_between(tries: list[Any]) -> list[float]:
    return [round((later.start_date - earlier.end_date).total_seconds(), 1) for earlier, later in pairwise(tries)]


class AsTheSourceAsks(RetryPolicy):
    """Waits as long as the header Retry-After says."""

    def evaluate(self, exception: Any, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        return RetryDecision.retry(
            timedelta(seconds=int(exception.response.headers["Retry-After"])), "as the source asks"
        )

    def serialize(self) -> dict[str, Any]:
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "AsTheSourceAsks":
        return cls()


@dag(schedule=None)
def polite() -> None:
    @task(retries=1, retry_delay=SOON, retry_policy=AsTheSourceAsks())
    def download(*, params: dict[str, Any]) -> None:
        httpx.get(params["url"], trust_env=False).raise_for_status()

    download()


polite_dag = polite()


def test_r1_transient_fault(in_process: InProcess, source: Path, evidence: Evidence) -> None:
    """How is a transient fault tried again, and is a Retry-After honoured?

    After 1 s, then 2 or 3 s: twice as long, and a jitter that is a hash of task, date and try, the same for all
    instances of a map. The policy knows types of exceptions only, so Retry-After needs a policy of one's own.
    """
    from airflow_impl.pipeline import late_flights_dag

    june = "flights/2013-06.csv"
    with scripted_source(source, {june: [503, 503]}) as server:
        run_id = in_process.pipeline(source=server.url, families=("logistic",)).run_id
    tries = in_process.tries(run_id, "ingest")
    delays = seconds_between(tries)
    assert [its.state for its in tries] == ["failed", "failed", "success"]
    assert [its.retry_reason for its in tries[:2]] == ["Matched rule for TransientError"] * 2
    assert delays[0] >= 1
    assert delays[1] >= 2

    with scripted_source(source, {june: [(429, {"Retry-After": "30"})]}) as server:
        run_id = in_process.pipeline(source=server.url, families=("logistic",)).run_id
    hasty = in_process.tries(run_id, "ingest")
    assert [its.state for its in hasty] == ["failed", "success"]
    assert seconds_between(hasty)[0] < 20

    with scripted_source(source, {"planes.csv": [(429, {"Retry-After": "4"})]}) as server:
        run = polite_dag.test(run_conf={"url": f"{server.url}/planes.csv"})
    patient = in_process.tries(run.run_id, "download")
    assert [(its.state, its.retry_reason, its.retry_delay_override) for its in patient] == [
        ("failed", "as the source asks", 4), ("success", None, None)
    ]  # fmt: skip
    assert seconds_between(patient)[0] >= 4
    evidence(said="failed twice, then success; Retry-After: own policy", attempts={"ingest": 3}, delays=delays)
    evidence.code(late_flights_dag.get_task("ingest").python_callable)


def test_r2_permanent_fault(in_process: InProcess, source: Path, tmp_path: Path, evidence: Evidence) -> None:
    """Is a rejected batch tried again?

    No: `ExceptionRetryPolicy(…, default=RetryAction.FAIL)` ends it at its first try, though three retries are left.
    """
    from airflow_impl.pipeline import late_flights_dag

    broken = shutil.copytree(source, tmp_path / "broken")
    flights = broken / "flights" / "2013-06.csv"
    flights.write_text(flights.read_text().replace(",1400,", ",-1400,"))
    record = in_process.pipeline(source=str(broken))
    (only,) = in_process.tries(record.run_id, "validate")
    states = in_process.states(record.run_id)
    assert (only.state, only.try_number, only.max_tries) == ("failed", 1, 3)
    assert states["features"] == "upstream_failed"
    assert record.state == "failed"
    evidence(said="failed at try 1 of 4; upstream_failed", attempts={"validate": 1}, states=states)
    evidence.code(late_flights_dag.get_task("validate").python_callable)


@dag(schedule=None)
def flaky() -> None:
    @task(retries=2, retry_delay=SOON)
    def fit(candidate: str, *, ti: Any) -> str:
        if candidate == "b" and ti.try_number == 1:
            raise ConnectionError("once")
        return candidate

    @task
    def collect(fitted: list[str]) -> list[str]:
        return list(fitted)

    collect(fit.expand(candidate=["a", "b", "c"]))


flaky_dag = flaky()


def test_r3_retry_one_mapped_instance(in_process: InProcess, evidence: Evidence) -> None:
    """If one instance of a fan-out fails once, what runs again?

    That instance alone; the fan-in waits for it and gets all results in the order of the inputs.
    """
    run = flaky_dag.test()
    attempts = {task: its.try_number for task, its in sorted(in_process.tasks(run.run_id).items())}
    assert attempts == {"fit 0": 1, "fit 1": 2, "fit 2": 1, "collect": 1}
    assert [its.state for its in in_process.tries(run.run_id, "fit 1")] == ["failed", "success"]
    assert in_process.result(run.run_id, "collect") == ["a", "b", "c"]
    evidence(said="fit 1: failed, then success; siblings once", attempts=attempts, width=3, results=3)
    evidence.code(flaky)


@dag(schedule=None)
def hung() -> None:
    @task(execution_timeout=SOON)
    def waits() -> None:
        time.sleep(600)

    @task(execution_timeout=SOON)
    def computes() -> None:
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)  # one long call into C, like a model's fit

    waits()
    computes()


hung_dag = hung()


@pytest.mark.live
def test_r4_hung_task(live: Engine, evidence: Evidence) -> None:
    """Does a time-out end a hung task?

    `execution_timeout` is a Python signal handler in the task's process: it ends what waits, but not one long call
    into C; that one ends when a person marks it failed: the supervisor then sends SIGTERM, and 5 s later SIGKILL.
    """
    run_id = live.start("hung")
    waits = poll(lambda: live.ended("hung", run_id, "waits"))
    assert waits["state"] == "failed"
    computes = poll(lambda: live.running("hung", run_id, "computes", seconds=4 * SOON.total_seconds()))
    began = time.monotonic()
    live.mark("hung", run_id, "computes", "failed")
    poll(lambda: not alive(computes["pid"]))
    seconds = round(time.monotonic() - began, 1)
    assert live.end("hung", run_id) == "failed"
    states = {task: its["state"] for task, its in live.tasks("hung", run_id).items()}
    assert states == {"waits": "failed", "computes": "failed"}
    evidence(said="failed; but a call into C goes on till marked failed", states=states, seconds=seconds)
    evidence(seconds_to_detection=waits["duration"])
    evidence.code(hung)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.live
def test_r5_resume_after_a_fix(live: Engine, source: Path, evidence: Evidence) -> None:
    """After a fix, what runs again?

    Clearing the failed tasks by REST (`only_failed`) runs those and what follows them, in the same run; all others
    keep their one try, and their results are read again from XCom.
    """
    settings = Settings(tool="airflow", source=str(source), min_rows=100, families=("logistic",))
    obstacle = settings.store / "models"
    obstacle.parent.mkdir(parents=True)
    obstacle.write_text("a file where the models' folder should be")
    run_id = live.start("late_flights", conf("2013-06", settings))
    assert live.end("late_flights", run_id) == "failed"
    before = live.tasks("late_flights", run_id)
    obstacle.unlink()
    cleared = live.clear_failed("late_flights", run_id)
    assert live.end("late_flights", run_id) == "success"
    after = live.tasks("late_flights", run_id)
    attempts = {task: its["try_number"] for task, its in after.items()}
    done = [task for task, its in before.items() if its["state"] == "success"]
    assert {"ingest", "validate", "features", "plan", "candidates"} == set(done)
    assert all(after[task]["start_date"] == before[task]["start_date"] for task in done)
    assert {attempts[task] for task in after if task.startswith("train")} == {2}
    assert live.record(run_id).state == "success"
    evidence(said="failed, cleared, success; the others keep try 1", attempts=attempts, skipped=sorted(done))
    evidence(states={"cleared": cleared})
    evidence.code(Engine.clear_failed)


@dag(schedule=None)
def mortal() -> None:
    @task(retries=1, retry_delay=SOON)
    def work(*, ti: Any) -> None:
        ti.xcom_push(key="pid", value=os.getpid())
        while ti.try_number == 1:  # until it is killed
            time.sleep(0.1)

    work()


mortal_dag = mortal()


@pytest.mark.live
def test_r6_killed_process(live: Engine, home: Path, source: Path, tmp_path: Path, evidence: Evidence) -> None:
    """What becomes of a run when the task's process, its worker, or the process of a `dag.test()` gets SIGKILL?

    The worker sees its task's process die at once; a dead worker is seen when its heartbeat has timed out (12 s here,
    300 s by default). Both tries fail and the scheduler starts the next one; but the dead worker's task goes on, as an
    orphan, beside its own second try. A `dag.test()` has no scheduler: its run and task stay `running`, until the
    pipeline's next command ends them.
    """
    runs = {whose: live.start("mortal") for whose in ("task", "worker")}
    pids = {whose: poll(lambda run=run: live.result("mortal", run, "work", "pid")) for whose, run in runs.items()}
    seen = {}
    try:
        killed = datetime.now(UTC)
        os.kill(pids["task"], signal.SIGKILL)
        os.kill(parent(pids["worker"]), signal.SIGKILL)
        for whose, run_id in runs.items():
            assert live.end("mortal", run_id) == "success"
            first, second = live.tries("mortal", run_id, "work")
            assert (first["state"], second["state"]) == ("failed", "success")
            seen[whose] = round((datetime.fromisoformat(first["end_date"]) - killed).total_seconds(), 1)
        orphan = alive(pids["worker"])
        assert orphan
    finally:
        with suppress(ProcessLookupError):
            os.kill(pids["worker"], signal.SIGKILL)
    assert not alive(pids["task"])
    assert seen["task"] < HEARTBEAT_SECONDS / 2 < HEARTBEAT_SECONDS - 2 < seen["worker"]
    assert live.events("mortal", runs["worker"], "heartbeat timeout") == 1
    assert live.events("mortal", runs["task"], "heartbeat timeout") == 0

    kill = Kill(tmp_path)
    kill.at("shared.stages.ingest:check_no_gap")
    command = [sys.executable, "-m", "airflow_impl.run", "2013-06", "--source", str(source)]
    assert subprocess.run(command, env=os.environ | kill.env, capture_output=True).returncode == -signal.SIGKILL
    with closing(sqlite3.connect(home / "airflow" / "airflow.db")) as database:
        left = database.execute("select r.state, t.state from dag_run r join task_instance t using (run_id)").fetchall()
    assert ("running", "running") in left
    evidence(said="failed, then success; worker: heartbeat timeout, orphan", seconds_to_detection=seen)
    evidence(attempts={"task": 2, "worker": 2}, states={"dag.test()": "running, until the next command"})
    evidence(orphan="the dead worker's task, which goes on running")
    evidence.code(mortal)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@dag(schedule=None)
def mortal_fan() -> None:
    @task(retries=1, retry_delay=SOON)
    def fit(candidate: str, *, ti: Any) -> str:
        while candidate == "b" and ti.try_number == 1:  # until it is killed
            time.sleep(0.1)
        return candidate

    @task(trigger_rule="all_done")
    def collect(fitted: list[str]) -> list[str]:
        return list(fitted)

    candidates = ["a", "b", "c", "d"]
    collect(fit.expand(candidate=candidates))
    collect.override(task_id="collect_once")(fit.override(task_id="fit_once", retries=0).expand(candidate=candidates))


mortal_fan_dag = mortal_fan()


@pytest.mark.live
def test_r7_killed_in_mid_fan_out(live: Engine, evidence: Evidence) -> None:
    """Is a candidate lost that is killed in mid fan-out?

    Each instance is a task of its own, so that only the killed one is tried again, and none is lost. The trap is the
    default of no retries: with a fan-in that runs on `all_done` the candidate is lost, and the run is a success.
    """
    from airflow_impl.pipeline import late_flights_dag

    run_id = live.start("mortal_fan")
    for name in ("fit 1", "fit_once 1"):
        os.kill(poll(lambda name=name: live.running("mortal_fan", run_id, name))["pid"], signal.SIGKILL)
    assert live.end("mortal_fan", run_id) == "success"
    tasks = live.tasks("mortal_fan", run_id)
    attempts = {name: its["try_number"] for name, its in sorted(tasks.items())}
    assert {name: tries for name, tries in attempts.items() if tries != 1} == {"fit 1": 2}
    assert tasks["fit_once 1"]["state"] == "failed"
    assert live.result("mortal_fan", run_id, "collect_once") == ["a", "c", "d"]
    assert live.result("mortal_fan", run_id, "collect") == ["a", "b", "c", "d"]
    assert late_flights_dag.get_task("train").partial_kwargs["retries"] == 3
    evidence(said="one retried, none lost; no retries: lost, run success", attempts=attempts, width=4)
    evidence(results={"with a retry": 4, "without": 3})
    evidence.code(mortal_fan)


@pytest.mark.live
def test_r8_same_month_twice(in_process: InProcess, live: Engine, home: Path, source: Path, evidence: Evidence) -> None:
    """What do two runs of one month leave behind, at the same time and one after the other?

    Airflow lets them run at once, though both bear the same partition; that there is one champion, one version and no
    torn file is the work of the stages, which are idempotent.
    """
    from airflow_impl.pipeline import late_flights
    from shared.lib import registry, tracking

    settings = Settings(tool="airflow", source=str(source), min_rows=100, families=("logistic",))
    runs = [live.start("late_flights", conf("2013-06", settings)) for _ in range(2)]
    assert [live.end("late_flights", run_id) for run_id in runs] == ["success"] * 2
    ingests = [live.tasks("late_flights", run_id)["ingest"] for run_id in runs]
    assert max(its["start_date"] for its in ingests) < min(
        live.tasks("late_flights", run_id)["evaluate"]["start_date"] for run_id in runs
    )
    third = in_process.pipeline(families=("logistic",))
    assert in_process.states(third.run_id)["deploy"] == "skipped"
    assert {live.record(run_id).champion for run_id in runs} == {third.champion}
    assert registry.aliases(settings) == {"champion": "1"}
    assert len(tracking.client(settings).search_model_versions(f"name = '{settings.model_name}'")) == 1
    files = [path for path in settings.store.rglob("*") if path.is_file() and path.suffix != ".skops"]
    assert len(files) > 7
    assert all(store.sha256(path.read_bytes()) in path.name for path in files)
    states = {"at once": ["success", "success"], "again": "success, deploy skipped"}
    evidence(said="both success, one champion; again: deploy skipped", states=states)
    evidence.code(late_flights)


class Moody:
    """A family whose models answer otherwise each time they are asked, if only a little."""

    def fit(self, X: Any, y: Any) -> Any:
        from sklearn.dummy import DummyClassifier
        from sklearn.ensemble import VotingClassifier

        from shared.lib.families import logistic

        members = [("steady", logistic(0)), ("moody", DummyClassifier(strategy="stratified"))]
        model = VotingClassifier(members, voting="soft", weights=[99, 1]).fit(X, y)
        del model.named_estimators_  # not of a type that may be stored
        return model


def moody(seed: int) -> Moody:
    return Moody()


def test_r9_rollback(in_process: InProcess, evidence: Evidence) -> None:
    """If the smoke test fails after the registration, which model serves?

    The champion as before: the deploy task fails at its first try, and has put the aliases back itself; Airflow knows
    of no transaction and undoes nothing.
    """
    from airflow_impl.pipeline import late_flights_dag
    from shared.lib import registry, serving
    from shared.lib.feature_table import FEATURE_COLUMNS

    settings = Settings(tool="airflow")
    first = in_process.pipeline(min_rows=1000, families=("logistic",))  # one airport has as many
    before = registry.aliases(settings)
    second = in_process.pipeline(families=("tests.retries.test_airflow:moody",))
    assert second.evaluation.decision == "promote"
    (deploy,) = in_process.tries(second.run_id, "deploy")
    assert (deploy.state, second.state) == ("failed", "failed")
    assert "smoke test of version 2 failed" in second.error
    assert registry.aliases(settings) == before == {"champion": "1"}
    (table,) = settings.store.glob("features/*.arrow")
    answer = serving.predict_once(pl.read_ipc(table).select(FEATURE_COLUMNS).head(3), registry.CHAMPION, settings)
    assert answer.version == first.champion.version
    evidence(said="deploy failed at try 1; the champion is version 1 as before", states={"deploy": "failed"})
    evidence(attempts={"deploy": 1})
    evidence.code(late_flights_dag.get_task("deploy").python_callable)


def test_r10_cache(in_process: InProcess, evidence: Evidence) -> None:
    """What is skipped when a month is run again with nothing changed?

    Nothing: Airflow has no cache of results. `deploy` alone is skipped, because the pipeline's own `promoted` says so;
    people write such a `short_circuit`, keyed by what their store has.
    """
    from airflow_impl.pipeline import late_flights_dag

    first, again = (in_process.pipeline(families=("logistic",)) for _ in range(2))
    tasks = in_process.tasks(again.run_id)
    states = in_process.states(again.run_id)
    assert {task for task, state in states.items() if state == "skipped"} == {"deploy"}
    assert all(its.start_date >= first.ended for task, its in tasks.items() if task != "deploy")
    evidence(said="no cache: all runs again; deploy skipped by the Dag", states=states, skipped="deploy, by the Dag")
    evidence.code(late_flights_dag.get_task("promoted").python_callable)
