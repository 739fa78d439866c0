"""Retries and recovery in Prefect, read from its API; each docstring asks a question and answers it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect import flow, task, unmapped
from prefect.cache_policies import INPUTS, TASK_SOURCE
from prefect.task_runners import ProcessPoolTaskRunner

from prefect_impl.run import run
from shared.settings import ROOT, Settings
from tests.evidence import Evidence
from tests.faults import scripted_source
from tests.live import prefect

MONTH = "2013-06"
NAMES = ("planes.csv", "airports.csv", "airlines.csv")


def small(source: Any, **changes: Any) -> Settings:
    return Settings(tool="prefect", source=str(source), **{"min_rows": 100, **changes})


def get(url: str) -> int:
    """How many bytes there are at the URL; raises httpx.HTTPError."""
    return len(httpx.get(url, timeout=600).raise_for_status().content)


def test_r1_transient_fault(home: Path, source: Path, evidence: Evidence) -> None:
    """A source answers 503 twice, then 429: how often is it asked, and when?

    One task run, AwaitingRetry after each fault, 1, 2 and 4 s with native jitter. The Retry-After of an hour is not
    heeded: of a fault, Prefect sees the exception only.
    """
    from prefect_impl import pipeline

    file = "flights/2013-06.csv"
    with scripted_source(source, {file: [503, 503, (429, {"Retry-After": "3600"})]}) as http:
        record = run(MONTH, small(http.url))
        asked = http.times(file)
    ingest = prefect.named("ingest", UUID(record.run_id))
    waits = [its for its in prefect.history(ingest) if its.name == "AwaitingRetry"]
    delays = [(its.state_details.scheduled_time - its.timestamp).total_seconds() for its in waits]

    assert record.state == "success", record.error
    assert ingest.run_count == len(asked) == 4
    assert all(base * 0.4 < delay <= base * 1.5 for base, delay in zip((1, 2, 4), delays, strict=True)), delays
    evidence(said="AwaitingRetry, then Completed; Retry-After unseen", attempts=ingest.run_count, delays=delays)
    evidence.code(pipeline.ingest, pipeline.is_transient)


def test_r2_permanent_fault(home: Path, source: Path, tmp_path: Path, evidence: Evidence) -> None:
    """Is a rejected batch tried again?

    No: `retry_condition_fn` sees the exception and declines, so the task is Failed after one try, with retries left.
    """
    from prefect_impl import pipeline

    flights = shutil.copytree(source, tmp_path / "broken") / "flights" / f"{MONTH}.csv"
    flights.write_text(flights.read_text().replace(",1400,", ",-1400,"))
    record = run(MONTH, small(flights.parent.parent))
    rejected = prefect.named("validate", UUID(record.run_id))

    assert "distance" in record.error
    assert rejected.empirical_policy.retries == 3
    assert rejected.run_count == 1
    assert [its.name for its in prefect.history(rejected)] == ["Pending", "Running", "Failed"]
    assert len(prefect.task_runs(UUID(record.run_id), 2)) == 2
    evidence(said="Failed after one try of four", attempts=rejected.run_count)
    evidence.code(pipeline.validate, pipeline.is_transient)


@task(retries=1, task_run_name="{name}")
def fetch(url: str, name: str) -> int:
    return get(f"{url}/{name}")


@flow
def fetch_all(url: str) -> list[int]:
    return fetch.map(unmapped(url), NAMES).result()


def test_r3_retry_one_mapped_instance(results: Path, source: Path, evidence: Evidence) -> None:
    """One mapped instance fails once: do its siblings run again?

    No: each instance is a task run with retries of its own; without a delay its next try is called Retrying.
    """
    with scripted_source(source, {"airports.csv": [503]}) as http:
        made = fetch_all(http.url, return_state=True)
        asked = sorted(name for name, _ in http.requests)
    runs = prefect.task_runs(made.state_details.flow_run_id, 3)

    attempts = {its.name: its.run_count for its in runs}
    assert made.is_completed()
    assert attempts == {"airlines.csv": 1, "airports.csv": 2, "planes.csv": 1}
    assert asked == ["airlines.csv", "airports.csv", "airports.csv", "planes.csv"]
    states = [its.name for its in prefect.history(next(its for its in runs if its.name == "airports.csv"))]
    assert states == ["Pending", "Running", "Retrying", "Completed"]
    evidence(said="Retrying, then Completed; siblings ran once", attempts=attempts, states={"airports.csv": states})
    evidence.code(fetch.fn, fetch_all.fn)


def seconds_since(when: datetime) -> float:
    return (datetime.now(UTC) - when).total_seconds()


@task(timeout_seconds=1)
def hang(url: str) -> int:
    return get(url)


@flow
def hang_in_a_thread(url: str) -> int:
    return hang.submit(url).result()


@flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
def hang_in_a_process(url: str) -> int:
    return hang.submit(url).result()


@pytest.mark.live
def test_r4_hung_task(source: Path, evidence: Evidence) -> None:
    """Does a time-out of one second end a task that waits for an answer?

    In the thread pool, the default, no: the task is Running until the call returns, and only then TimedOut. In a
    process pool it has the main thread of a process, and is TimedOut on time. The run takes over the name TimedOut.
    """
    with scripted_source(source, {"planes.csv": ["hang", "hang"]}) as http:
        in_thread, in_process = (
            prefect.start(its, prefect.pool(), url=f"{http.url}/planes.csv")
            for its in (hang_in_a_thread, hang_in_a_process)
        )
        hung = prefect.running(in_thread)
        assert prefect.wait_for(in_process).name == "TimedOut"
        prefect.poll(lambda: seconds_since(hung.start_time) > 5)
        assert prefect.running(in_thread).id == hung.id
    assert prefect.wait_for(in_thread).name == "TimedOut"  # as the source has closed the connection

    seconds = {
        pool: prefect.task_runs(run, 1)[0].total_run_time.total_seconds()
        for pool, run in (("thread", in_thread), ("process", in_process))
    }
    assert seconds["thread"] > 5
    assert 1 <= seconds["process"] < 15
    evidence(said="thread: TimedOut when the call returns; process: in time", seconds_to_detection=seconds)
    evidence.code(hang.fn, hang_in_a_thread.fn, hang_in_a_process.fn)


@task(task_run_name="{name}")
def load(url: str, name: str) -> int:
    return get(f"{url}/{name}")


@flow
def forgetful(url: str) -> int:
    return sum(load.map(unmapped(url), NAMES).result())


@flow(persist_result=True)
def remembering(url: str) -> int:
    return sum(load.map(unmapped(url), NAMES).result())


def test_r5_resume_after_a_fix(results: Path, source: Path, tmp_path: Path, evidence: Evidence) -> None:
    """A file was missing and is there now: what does a retry of the failed run run again?

    Everything, unless results persist: then the finished tasks are Cached, by a key that holds the run's id, and only
    the failed one runs.
    """
    (tmp_path / "drop").mkdir()
    asked = {}
    for pipeline in (forgetful, remembering):
        for name in NAMES:
            shutil.copy(source / name, tmp_path / "drop")
        (tmp_path / "drop" / "airports.csv").unlink()
        with scripted_source(tmp_path / "drop", {}) as http:
            failed = pipeline(http.url, return_state=True)
            assert failed.is_failed()
            shutil.copy(source / "airports.csv", tmp_path / "drop")
            done = prefect.command("flow-run", "retry", failed.state_details.flow_run_id, "-e", entrypoint(pipeline))
            asked[pipeline.name] = {name: len(http.times(name)) for name in NAMES}
        assert "completed successfully" in done.stdout, done.stdout
    runs = prefect.task_runs(failed.state_details.flow_run_id, 6)

    assert asked["forgetful"] == dict.fromkeys(NAMES, 2)
    assert asked["remembering"] == {"planes.csv": 1, "airports.csv": 2, "airlines.csv": 1}
    again = {its.name: its.state_name for its in runs[1::2]}
    assert again == {"airlines.csv": "Cached", "airports.csv": "Completed", "planes.csv": "Cached"}
    evidence(said="default: all again; persisted: Cached but one", attempts=asked, skipped=again)
    evidence.code(load.fn, remembering.fn)


def entrypoint(its: Any) -> str:
    return f"{__file__}:{its.fn.__name__}"


def untold(flow: Any, run: Any, state: Any) -> None:
    Path(run.parameters["folder"], "untold").touch()


def told(flow: Any, flow_run: Any, state: Any) -> None:
    Path(flow_run.parameters["folder"], "told").touch()


@task
def wait_for_go(folder: str) -> None:
    Path(folder, f"{os.getpid()}.pid").touch()
    prefect.poll(Path(folder, "go").exists)


@flow(retries=3, on_crashed=[untold, told])
def patient(folder: str) -> None:
    wait_for_go(folder)


def pid_in(folder: Path) -> int:
    return int(prefect.poll(lambda: next(folder.glob("*.pid"), None)).stem)


@pytest.mark.live
def test_r6_killed_process(tmp_path: Path, evidence: Evidence) -> None:
    """A process gets SIGKILL: what does Prefect say, how soon, and who starts what again?

    A run's process under a worker: the run is Crashed within a second or two, its task stays Running for ever; nobody
    starts it again, `retries` don't count. `on_crashed` hooks run in the worker, which passes the run as `flow_run=`: a
    hook that names it otherwise fails there, though it works in a run of one's own.
    A worker: its runs go on until they next log to its broken pipe, which makes them Crashed; with `stream_output` off
    they complete. A bare script: its run stays Running, and a retry is refused.
    """
    folders = [tmp_path / name for name in ("run", "script", "mute", "chatty")]
    for folder in folders:
        folder.mkdir()
    of_run, of_script, of_mute, of_chatty = folders

    run = prefect.start(patient, prefect.pool(), folder=str(of_run))
    prefect.running(run)
    os.kill(pid_in(of_run), signal.SIGKILL)
    killed = time.time()
    seconds = prefect.wait_for(run, "Crashed").timestamp.timestamp() - killed
    prefect.poll((of_run / "told").exists)
    assert not (of_run / "untold").exists()

    call = f"from tests.retries.test_prefect import patient; patient({str(of_script)!r})"
    env = {**os.environ, "PREFECT_API_URL": prefect.server()}
    with subprocess.Popen([sys.executable, "-c", call], cwd=ROOT, env=env, stderr=subprocess.DEVNULL) as process:
        assert pid_in(of_script) == process.pid
        process.kill()
    lost = prefect.run_with({"folder": str(of_script)})

    with prefect.worker(prefect.server(), "doomed", tmp_path) as worker:
        chatty = prefect.start(patient, "doomed", folder=str(of_chatty))
        mute = prefect.start(patient, "doomed", {"stream_output": False}, folder=str(of_mute))
        assert pid_in(of_chatty) != pid_in(of_mute)
        os.kill(worker, signal.SIGKILL)
        prefect.poll(lambda: not Path(f"/proc/{worker}").exists())
        for folder in (of_chatty, of_mute):
            (folder / "go").touch()
        ends = {"chatty": prefect.wait_for(chatty), "mute": prefect.wait_for(mute)}

    assert {its: end.name for its, end in ends.items()} == {"chatty": "Crashed", "mute": "Completed"}
    assert ends["chatty"].message == "Execution was aborted by Python system exit call."
    refused = prefect.command("flow-run", "retry", lost)
    assert "is in state 'RUNNING' and cannot be retried" in " ".join(refused.stdout.split())
    assert [its.name for its in prefect.run_history(lost)] == ["Pending", "Running"]
    assert prefect.run_history(run)[-1].name == "Crashed"
    assert [its.state_name for its in prefect.task_runs(run, 0)] == ["Running"]
    assert 0 < seconds < 30
    evidence(said="run: Crashed; script: Running for ever", seconds_to_detection=round(seconds, 2), attempts=1)
    evidence(orphan="task run Running; runs of a killed worker go on", states={its: s.name for its, s in ends.items()})
    evidence.code(patient.fn, told)


def slow(seed: int) -> Any:
    """A family whose candidates wait until the test lets them go on."""
    from shared.lib.families import logistic

    prefect.poll(Path(os.environ["TEST_GO"]).exists)
    return logistic(seed)


@pytest.mark.live
def test_r7_killed_in_mid_fan_out(home: Path, source: Path, tmp_path: Path, evidence: Evidence) -> None:
    """The process dies when some candidates are trained, some in work and some not begun: is one lost in the retry?

    None: the retried flow maps over all of them again, and those with a persisted result are Cached. But no retry is
    automatic: flow retries die with the process, so that an automation has to schedule the Crashed run again.
    """
    from prefect_impl import pipeline
    from prefect_impl.record import record_of

    families, go = ("logistic", "tests.retries.test_prefect:slow"), tmp_path / "go"
    job = {"env": {"TRIPTYCH_HOME": str(home), "TEST_GO": str(go)}}
    with prefect.automatic_retry():
        asked = small(source, families=families).model_dump(include={"source", "min_rows", "families"})
        run = prefect.start(pipeline.late_flights, prefect.pool(), job, month=MONTH, **asked)
        prefect.poll(lambda: [its for its in prefect.task_runs(run, 5) if its.name.endswith("/logistic")])
        os.kill(prefect.pid(run), signal.SIGKILL)
        prefect.wait_for(run, "Crashed", "Scheduled", "Pending", "Running")
        go.touch()
        prefect.wait_for(run, "Completed")
    record = record_of(run)
    runs = prefect.task_runs(run, 0)
    cached = sorted({its.name for its in runs if its.state_name == "Cached"})
    trained = sorted(its.key for its in record.stages if its.stage == "train")

    assert record.state == "success", record.error
    assert trained == [f"{origin}/{family}" for origin in ("EWR", "JFK", "LGA") for family in families]
    assert {"EWR/logistic", "validate", "features", "plan"} <= set(cached)
    assert "ingest" not in cached
    evidence(said="Crashed, rescheduled by automation; trained Cached", results=len(trained), skipped=cached)
    evidence.code(pipeline.late_flights.fn)


@pytest.mark.live
def test_r8_same_month_twice(home: Path, source: Path, evidence: Evidence) -> None:
    """Two runs of one month, one after the other and then two at once: how many champions?

    One: Prefect itself lets all of them run, and Completed they are; the stages are idempotent.
    """
    from prefect_impl import pipeline
    from shared.lib import registry, tracking
    from shared.lib.store import sha256

    settings = small(source)
    asked = settings.model_dump(include={"source", "min_rows"})
    job = {"env": {"TRIPTYCH_HOME": str(home)}}
    with tracking.registry_lock(settings):  # holds both where the champion is put in service
        pair = [prefect.start(pipeline.late_flights, prefect.pool(), job, month=MONTH, **asked) for _ in range(2)]
        for its in pair:
            prefect.named("evaluate", its)
    states = [prefect.wait_for(run).name for run in pair]
    third = run(MONTH, settings)

    versions = tracking.client(settings).search_model_versions(f"name = '{settings.model_name}'")
    files = [path for path in settings.store.rglob("*.*") if path.suffix in (".csv", ".arrow")]
    assert states == ["Completed", "Completed"]
    assert overlap(*pair) > 0
    assert third.evaluation.decision == "keep"
    assert len(versions) == 1
    assert registry.aliases(settings) == {"champion": "1"}
    assert files
    assert all(sha256(path.read_bytes()) in path.name for path in files)
    assert not list(settings.store.rglob(".tmp-*"))
    evidence(said="all Completed; one version, one champion", results=len(versions))
    evidence.code(pipeline.deploy.fn)


def overlap(*runs: UUID) -> float:
    """For how many seconds all of the runs were running, by the API."""
    with prefect.client() as api:
        found = [api.read_flow_run(run) for run in runs]
    return (min(its.end_time for its in found) - max(its.start_time for its in found)).total_seconds()


def test_r9_rollback(home: Path, source: Path, evidence: Evidence) -> None:
    """The smoke test of a registered version fails, as its file on disk is broken: what is in service?

    What was before: the task is Failed without another try, and so is the run; that the aliases are as before is the
    stage's own work, the transaction around the task undoes what comes after it.
    """
    from prefect_impl import pipeline
    from shared.lib import registry, serving, tracking

    settings = small(source)
    run(MONTH, small(source, min_rows=1000))  # one airport has as many rows: a weaker champion, version 1
    run(MONTH, settings)
    registry.restore({"champion": "1"}, settings)  # somebody went back to version 1, and version 2's file rots
    second = tracking.client(settings).get_model_version(settings.model_name, "2")
    (stored,) = settings.mlflow.rglob(f"{Path(second.source).name}/artifacts/model.skops")
    stored.write_bytes(b"")
    record = run(MONTH, settings)

    failed = prefect.named("deploy", UUID(record.run_id))
    assert "smoke test of version 2 failed" in record.error
    assert failed.state_name == "Failed"
    assert failed.run_count == 1
    assert registry.aliases(settings) == {"champion": "1"}
    with serving.serve_in_thread(serving.create_app(settings)) as url:
        assert httpx.get(f"{url}/health").json() == {"version": "1"}
    evidence(said="deploy Failed, once; the champion serves as before", attempts=failed.run_count)
    evidence.code(pipeline.deploy.fn, pipeline.withdraw)


@task(persist_result=True)
def count(sha256: str) -> int:
    return len(sha256)


@task(persist_result=True, cache_policy=INPUTS + TASK_SOURCE)
def count_once(sha256: str) -> int:
    return len(sha256)


@flow
def count_all(sha256: str) -> None:
    count(sha256)
    count_once(sha256)


def test_r10_cache(results: Path, evidence: Evidence) -> None:
    """The same again, with nothing changed: what is skipped, and on which key?

    By default nothing, as the key holds the run's id: a cache for retries of one run. With INPUTS + TASK_SOURCE, a hash
    of arguments and code, the task is Cached. It sees the arguments only: hand on a file's digest, not its path.
    """
    seen = []
    for digest in ("a", "a", "b"):
        made = count_all(digest, return_state=True)
        seen.append({its.task_key.split("-")[0]: its for its in prefect.task_runs(made.state_details.flow_run_id, 2)})

    states = {name: [runs[name].state_name for runs in seen] for name in ("count", "count_once")}
    keys = [Path(runs["count_once"].state.data.storage_key).name for runs in seen]
    assert states == {"count": ["Completed"] * 3, "count_once": ["Completed", "Cached", "Completed"]}
    assert keys[0] == keys[1] != keys[2]  # the key is the name of the result's file
    evidence(said="default: nothing; INPUTS + TASK_SOURCE: Cached", states=states)
    evidence(skipped="key: hash of arguments and task source")
    evidence.code(count_once.fn, count_all.fn)
