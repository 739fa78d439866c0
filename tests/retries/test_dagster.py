"""Retries and recovery in Dagster: an op's RetryPolicy, the daemon's run retries, and re-execution from failure."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from hashlib import pbkdf2_hmac
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import dagster as dg
import httpx
import polars as pl
import pytest

from shared.lib.store import sha256
from shared.settings import Settings
from tests.evidence import Evidence
from tests.faults import scripted_source
from tests.live.dagster import Engine, Pipeline, until

UP_FOR_RETRY, FAILED = dg.DagsterEventType.STEP_UP_FOR_RETRY, dg.DagsterEventType.STEP_FAILURE


def attempts(instance: dg.DagsterInstance, run_id: str) -> dict[str, int]:
    """How often each step of the run was tried, as Dagster counts."""
    return {its.step_key: its.attempts for its in instance.get_run_step_stats(run_id) if its.attempts}


def aliases(settings: Settings) -> dict[str, str]:
    """The model's aliases in the registry."""
    from shared.lib import registry

    return registry.aliases(settings)


def delays(instance: dg.DagsterInstance, run_id: str) -> list[float]:
    """The delays that Dagster recorded before each retry of the run's steps."""
    events = [its.dagster_event for its in instance.all_logs(run_id, of_type=UP_FOR_RETRY)]
    return [round(its.step_retry_data.seconds_to_wait, 2) for its in events if its]


@dg.op
def polite(source: dg.ResourceParam[str]) -> None:
    response = httpx.get(source, trust_env=False)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise dg.RetryRequested(max_retries=3, seconds_to_wait=int(response.headers["Retry-After"]))


@dg.job
def politely() -> None:
    polite()


def test_r1_transient_fault(pipeline: Pipeline, source: Path, instance: dg.DagsterInstance, evidence: Evidence) -> None:
    """What happens when the source answers 503 twice, and 429 with Retry-After?

    The step is tried three times, 1 s and then 3 s later (2ⁿ - 1 times the delay), each more or less by up to the
    native jitter of one delay. Retry-After is not honoured, unless the code raises RetryRequested with it. (The
    pipeline raises RetryRequested with the delays of a RetryPolicy, which it gives to no step: a policy would be handed
    an interrupt too.)
    """
    from dagster_impl.stage import RETRIES, stage

    with scripted_source(source, {"flights/2013-06.csv": [503, 503]}) as server:
        record = pipeline(source=server.url)
        assert len(server.times("flights/2013-06.csv")) == 3
    assert record.state == "success", record.error
    tried, waited = attempts(pipeline.instance, record.run_id), delays(pipeline.instance, record.run_id)
    assert tried.pop("batch") == 3
    assert set(tried.values()) == {1}
    assert RETRIES.delay == 1
    assert waited == [pytest.approx(1, abs=1), pytest.approx(3, abs=1)]

    with scripted_source(source, {"flights/2013-06.csv": [(429, {"Retry-After": "60"})]}) as server:
        record = pipeline(source=server.url, min_rows=10**6)  # it need not go on after the first stages
    assert attempts(pipeline.instance, record.run_id)["batch"] == 2
    assert delays(pipeline.instance, record.run_id) == [pytest.approx(1, abs=1)]

    with scripted_source(source, {"planes.csv": [(429, {"Retry-After": "2"})]}) as server:
        result = politely.execute_in_process(instance=instance, resources={"source": f"{server.url}/planes.csv"})
        first, second = server.times("planes.csv")
    assert delays(instance, result.run_id) == [2]
    assert second - first >= 2
    evidence(said="STEP_UP_FOR_RETRY twice, STEP_SUCCESS; Retry-After ignored", attempts={"batch": 3}, delays=waited)
    evidence.code(stage)


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2))
def raises() -> None:
    raise ValueError("no such column")


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2))
def gives_up() -> None:
    raise dg.Failure("no such column", allow_retries=False)


@dg.job
def permanent_faults() -> None:
    raises()
    gives_up()


def test_r2_permanent_fault(
    pipeline: Pipeline, source: Path, tmp_path: Path, instance: dg.DagsterInstance, evidence: Evidence
) -> None:
    """Is a batch that breaks a rule tried once?

    By default no: a RetryPolicy retries every exception but a `Failure` with `allow_retries=False`. So the pipeline has
    none, and asks for a retry where it helps.
    """
    from dagster_impl.stage import stage

    result = permanent_faults.execute_in_process(instance=instance, raise_on_error=False)
    assert attempts(instance, result.run_id) == {"raises": 3, "gives_up": 1}

    broken = shutil.copytree(source, tmp_path / "broken")
    flights = broken / "flights" / "2013-06.csv"
    flights.write_text(flights.read_text().replace(",1400,", ",-1400,"))
    record = pipeline(source=str(broken))
    assert attempts(pipeline.instance, record.run_id) == {"batch": 1, "validated_batch": 1}
    (failure,) = pipeline.instance.all_logs(record.run_id, of_type=FAILED)
    assert failure.step_key == "validated_batch"
    assert delays(pipeline.instance, record.run_id) == []
    evidence(said="STEP_FAILURE at once; a plain exception: tried 3 times", attempts={"validated_batch": 1})
    evidence.code(stage)


@dg.op(out=dg.DynamicOut())
def origins() -> Iterator[dg.DynamicOutput[str]]:
    for origin in ("EWR", "JFK", "LGA"):
        yield dg.DynamicOutput(origin, mapping_key=origin)


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2))
def fetch(origin: str, source: dg.ResourceParam[str]) -> str:
    httpx.get(f"{source}/{origin}", trust_env=False).raise_for_status()
    return origin


@dg.op
def gather(context: dg.OpExecutionContext, made: list[str]) -> None:
    context.log_event(dg.AssetMaterialization("gathered", metadata={"results": sorted(made)}))


@dg.job
def fetch_all() -> None:
    gather(origins().map(fetch).collect())


def results(instance: dg.DagsterInstance, run_id: str) -> object:
    """What the fan-in of the run got, as it stands in the event log."""
    (event,) = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    return event.asset_materialization.metadata["results"].value


def test_r3_retry_one_mapped_instance(instance: dg.DagsterInstance, tmp_path: Path, evidence: Evidence) -> None:
    """One mapped instance fails once: what else runs again?

    Nothing: each mapped step has attempts of its own, and the fan-in waits for the last.
    """
    for origin in ("EWR", "JFK", "LGA"):
        (tmp_path / origin).touch()
    with scripted_source(tmp_path, {"JFK": [503]}) as server:
        result = fetch_all.execute_in_process(instance=instance, resources={"source": server.url})
    tried = attempts(instance, result.run_id)
    assert tried == {"origins": 1, "fetch[EWR]": 1, "fetch[JFK]": 2, "fetch[LGA]": 1, "gather": 1}
    assert results(instance, result.run_id) == ["EWR", "JFK", "LGA"]
    evidence(said="fetch[JFK] up for retry once, siblings not", attempts=tried, width=3, results=3)
    evidence.code(origins, fetch, gather, fetch_all)


@dg.op
def sleeps() -> None:
    try:
        time.sleep(3600)
    finally:
        time.sleep(2)  # tidies up


@dg.op
def spins_in_c() -> None:
    pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # minutes in a library's C code: no exception reaches it


@dg.job(executor_def=dg.in_process_executor, tags={"dagster/max_runtime": 2})
def hangs() -> None:
    sleeps()


@dg.job(executor_def=dg.in_process_executor, tags={"dagster/max_runtime": 2, "dagster/max_retries": 0})
def hangs_in_c() -> None:
    spins_in_c()


def lives(pid: int) -> bool:
    """Whether the process is there, and no zombie."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return bool(found) and not found.startswith("Z")


@pytest.mark.live
def test_r4_hung_task(live: Engine, evidence: Evidence) -> None:
    """What ends a task that hangs?

    No step has a time-out. The tag `dagster/max_runtime` ends the whole run, which the daemon then launches again as if
    it had crashed. (A task that ends at once when interrupted wins a race: then the run may be CANCELED, and is not
    launched again.) Code in a C library is not interrupted: its run is FAILURE too, and its process runs on.
    """
    asleep, spinning = live.launch("hangs"), live.launch("hangs_in_c")
    pid = live.pid(spinning)
    try:
        assert live.ended(spinning).status == dg.DagsterRunStatus.FAILURE
        assert lives(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
    assert live.ended(asleep).status == dg.DagsterRunStatus.FAILURE
    for run_id in (asleep, spinning):
        assert "Exceeded maximum runtime of 2 seconds." in live.said(run_id)
    again = live.retried(asleep)
    assert again.status == dg.DagsterRunStatus.FAILURE
    until(lambda: live.instance.all_logs(asleep, of_type=FAILED))
    (failure,) = live.instance.all_logs(asleep, of_type=FAILED)
    assert failure.dagster_event.step_failure_data.error.cls_name == "DagsterExecutionInterruptedError"
    began, ended = live.times(asleep)
    evidence(
        said="Exceeded maximum runtime: run FAILURE, launched again",
        states={"hangs": "FAILURE", "hangs_in_c": "FAILURE"},
        seconds_to_detection=round(ended - began - 2, 1),
        orphan="the process of the step that hangs in C",
    )
    evidence.code(sleeps, spins_in_c, hangs, hangs_in_c)


def retrain() -> dg.JobDefinition:
    from dagster_impl.run import engine

    return engine()[0]


def test_r5_resume_after_a_fix(pipeline: Pipeline, home: Path, evidence: Evidence) -> None:
    """The cause of a failure is mended: what runs again?

    Re-execution from failure runs the failed step and what follows it; the rest's results are read from the first run.
    """
    from dagster_impl.defs.assets import champion

    obstacle = home / "mlflow" / "artifacts" / "triptych-dagster" / "models"
    obstacle.parent.mkdir(parents=True, exist_ok=True)
    obstacle.touch()  # a file where the folder of the registered models should be
    failed = pipeline()
    assert attempts(pipeline.instance, failed.run_id).keys() >= {"batch", "evaluation", "champion"}
    assert [stage.stage for stage in failed.stages if stage.state == "failed"] == ["deploy"]

    obstacle.unlink()
    resumed = dg.execute_job(
        dg.reconstructable(retrain),
        pipeline.instance,
        tags={"dagster/partition": "2013-06"},
        reexecution_options=dg.ReexecutionOptions.from_failure(failed.run_id, pipeline.instance),
    )
    assert resumed.success
    assert attempts(pipeline.instance, resumed.run_id) == {"champion": 1}
    assert resumed.dagster_run.parent_run_id == failed.run_id
    assert aliases(pipeline.settings()) == {"champion": "1"}
    evidence(
        said="new run of 1 step, parent_run_id: the failed run", attempts={"champion": 1}, skipped="20 of 21 steps"
    )
    evidence.code(champion.op)


def wait_for_go(context: dg.OpExecutionContext) -> None:
    while not Path(context.run.tags["go"]).exists():
        time.sleep(0.1)


@dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
def slow_model(context: dg.AssetExecutionContext) -> None:
    wait_for_go(context)


slow = dg.define_asset_job("slow", [slow_model], executor_def=dg.multiprocess_executor)


@pytest.mark.live
def test_r6_killed_process(live: Engine, tmp_path: Path, evidence: Evidence) -> None:
    """A process gets SIGKILL: what does Dagster see, how soon, and who starts it again?

    Both in about a second. A step's process counts as a failed attempt of the step, which the RetryPolicy repeats; the
    run's process fails the run, and the daemon launches a new one. The dead run's step lives on as an orphan, and
    writes its success and its materialization into the failed run. (If it ends before the daemon looks, the daemon
    finds no step to retry, and there is no new run: `Failed to retry run`.)
    """
    go = {which: tmp_path / which for which in ("step", "run")}
    runs = {which: live.launch("slow", tags={"go": str(path)}) for which, path in go.items()}
    pids = {which: live.pid(run_id, "slow_model") for which, run_id in runs.items()}
    for run_id in runs.values():
        live.event(run_id, dg.DagsterEventType.STEP_START)

    killed = {"step": time.time()}
    os.kill(pids["step"], signal.SIGKILL)
    seen = {"step": live.event(runs["step"], UP_FOR_RETRY)}
    assert seen["step"].dagster_event.step_retry_data.error.cls_name == "ChildProcessCrashException"
    go["step"].touch()
    assert live.ended(runs["step"]).is_success
    assert attempts(live.instance, runs["step"]) == {"slow_model": 2}

    killed["run"] = time.time()
    os.kill(live.pid(runs["run"]), signal.SIGKILL)
    seen["run"] = live.event(runs["run"], dg.DagsterEventType.RUN_FAILURE)
    assert any("was terminated by signal 9 (SIGKILL)" in its for its in live.said(runs["run"]))
    retry = live.retry(runs["run"])
    assert lives(pids["run"])
    go["run"].touch()
    again = live.ended(retry)
    assert again.is_success
    assert again.parent_run_id == runs["run"]
    live.event(runs["run"], dg.DagsterEventType.ASSET_MATERIALIZATION)
    live.event(runs["run"], dg.DagsterEventType.STEP_SUCCESS)
    assert live.run(runs["run"]).status == dg.DagsterRunStatus.FAILURE
    evidence(
        said="step: STEP_UP_FOR_RETRY; run: FAILURE, then a new run",
        attempts={"step killed": 2, "run killed": 1, "its retry": 1},
        seconds_to_detection={which: round(seen[which].timestamp - killed[which], 1) for which in seen},
        orphan="the step's process: writes ASSET_MATERIALIZATION into the failed run",
    )
    evidence.code(slow_model.op)


@dg.op
def train_slowly(context: dg.OpExecutionContext, origin: str) -> str:
    if origin == "JFK":
        wait_for_go(context)
    return origin


@dg.job(executor_def=dg.in_process_executor)
def fan() -> None:
    gather(origins().map(train_slowly).collect())


@pytest.mark.live
def test_r7_killed_in_mid_fan_out(live: Engine, tmp_path: Path, evidence: Evidence) -> None:
    """The run's process is killed while the second of three candidates trains: is one lost by the automatic retry?

    By default yes, the one that had not begun: the retry from failure repeats only what was running, and the fan-in
    succeeds without the rest. The tag `dagster/retry_strategy: ALL_STEPS` loses none; so does FROM_ASSET_FAILURE where
    the fan-out is a graph asset, as in the pipeline, whose fan-out tags its own run so.
    """
    go, tags = tmp_path / "go", {"default": {}, "idiom": {"dagster/retry_strategy": "ALL_STEPS"}}
    runs = {name: live.launch("fan", tags={"go": str(go)} | its) for name, its in tags.items()}
    for run_id in runs.values():
        until(lambda run_id=run_id: "train_slowly[JFK]" in attempts(live.instance, run_id))
        os.kill(live.pid(run_id), signal.SIGKILL)
        live.ended(run_id)
    go.touch()
    again = {name: live.retried(run_id) for name, run_id in runs.items()}
    assert all(run.is_success for run in again.values())
    tried = {name: attempts(live.instance, run.run_id) for name, run in again.items()}
    assert tried["default"] == {"train_slowly[JFK]": 1, "gather": 1}
    got = {name: results(live.instance, run.run_id) for name, run in again.items()}
    assert got == {"default": ["EWR", "JFK"], "idiom": ["EWR", "JFK", "LGA"]}
    evidence(
        said="retry SUCCESS with 2 of 3; ALL_STEPS: 3 of 3",
        attempts=tried,
        width=3,
        results={name: len(its) for name, its in got.items()},
    )
    evidence.code(train_slowly, fan)


@pytest.mark.live
def test_r8_same_month_twice(live: Engine, pipeline: Pipeline, evidence: Evidence) -> None:
    """Two runs of one month, at the same time and one after the other: what comes of it?

    Dagster runs both: a partition may be materialized by any number of runs at once. The pipeline's own rules see to it
    that there is one champion, one version, and no torn file.
    """
    from dagster_impl.defs.assets import champion
    from shared.lib.tracking import registry_lock

    settings = pipeline.settings()
    with registry_lock(settings):  # hold both where the champion is decided
        pair = [live.launch_pipeline("2013-06", settings) for _ in range(2)]
        for run_id in pair:
            until(lambda run_id=run_id: "champion" in attempts(live.instance, run_id))
    assert [live.ended(run_id).status.value for run_id in pair] == ["SUCCESS", "SUCCESS"]
    batches = [live.event(run_id, dg.DagsterEventType.ASSET_MATERIALIZATION).dagster_event for run_id in pair]
    assert [(its.asset_key.to_user_string(), its.partition) for its in batches] == [("batch", "2013-06")] * 2
    once = {"champion": "1"}
    assert aliases(settings) == once

    record = pipeline()
    assert record.evaluation.decision == "keep"
    (skipped,) = pipeline.instance.all_logs(record.run_id, of_type=dg.DagsterEventType.STEP_SKIPPED)
    assert skipped.step_key == "champion"
    assert aliases(settings) == once
    files = [path for path in settings.home.rglob("*") if path.is_file()]
    assert not [path for path in files if path.name.startswith(".tmp-")]
    inputs = [path for path in files if path.suffix in (".csv", ".arrow") and path.is_relative_to(settings.store)]
    assert len(inputs) == 8
    assert [sha256(path.read_bytes()) for path in inputs] == [path.name.split(".")[-2] for path in inputs]
    evidence(said="at once: both runs SUCCESS; later: champion STEP_SKIPPED", results="1 version, 1 champion")
    evidence.code(champion.op)


def test_r9_rollback(pipeline: Pipeline, evidence: Evidence) -> None:
    """The smoke test fails after registration: which model serves?

    The champion as before. Dagster knows no rollback: the step fails once and the run with it; that the aliases are as
    before is the pipeline's own work.
    """
    from dagster_impl.defs.assets import champion
    from shared.lib import registry, serving, tracking
    from shared.lib.feature_table import FEATURE_COLUMNS

    settings = pipeline.settings()
    for min_rows in (1000, 100):
        pipeline(min_rows=min_rows)
    assert aliases(settings)["champion"] == "2"
    before = {"champion": "1"}
    registry.restore(before, settings)  # an operator goes back to version 1, and version 2 rots
    folder = tracking.client(settings).get_model_version_download_uri(settings.model_name, "2")
    (Path(url2pathname(urlsplit(folder).path)) / "model.skops").write_bytes(b"rotten")

    record = pipeline()
    assert record.error.startswith("smoke test of version 2 failed")
    (failure,) = pipeline.instance.all_logs(record.run_id, of_type=FAILED)
    assert failure.step_key == "champion"
    assert attempts(pipeline.instance, record.run_id)["champion"] == 1
    assert pipeline.instance.get_run_by_id(record.run_id).status == dg.DagsterRunStatus.FAILURE
    assert aliases(settings) == before
    (table,) = settings.store.rglob("*.arrow")
    flights = pl.read_ipc(table).select(FEATURE_COLUMNS).head(5)
    assert serving.predict_once(flights, registry.CHAMPION, settings).version == "1"
    evidence(said="STEP_FAILURE once, run FAILURE; champion serves as before", attempts={"champion": 1})
    evidence.code(champion.op)


DATA, CODE = dg.AutomationCondition.data_version_changed(), dg.AutomationCondition.code_version_changed()


@dg.asset
def drop(path: dg.ResourceParam[str]) -> dg.MaterializeResult:
    return dg.MaterializeResult(data_version=dg.DataVersion(sha256(Path(path).read_bytes())))


@dg.asset(deps=[drop], code_version="1", automation_condition=dg.AutomationCondition.any_deps_match(DATA) | CODE)
def model() -> None: ...


def test_r10_cache(instance: dg.DagsterInstance, tmp_path: Path, evidence: Evidence) -> None:
    """Run again with nothing changed: what is skipped, and on which key?

    Nothing: a run executes all its steps. But each materialization bears a data version, made from code version and
    inputs' data versions, and who lets automation conditions launch the runs gets one only where it has changed.
    """
    file, assets, defs = (
        tmp_path / "drop.csv",
        [drop, model],
        dg.Definitions([drop, model], resources={"path": str(tmp_path / "drop.csv")}),
    )
    file.write_text("June")
    runs = [dg.materialize(assets, instance=instance, resources={"path": str(file)}) for _ in range(2)]
    assert [attempts(instance, run.run_id) for run in runs] == [{"drop": 1, "model": 1}] * 2
    tags = [run.asset_materializations_for_node("model")[0].tags for run in runs]
    assert tags[0]["dagster/data_version"] == tags[1]["dagster/data_version"]

    cursor, requested = None, []
    for content in ("June", "June", "June, issued again", "June, issued again"):
        file.write_text(content)
        dg.materialize([drop], instance=instance, resources={"path": str(file)})
        found = dg.evaluate_automation_conditions(defs, instance, cursor=cursor)
        cursor = found.cursor
        requested.append(found.total_requested)
    assert requested == [0, 0, 1, 0]
    evidence(
        said="all steps run again; data_version unchanged",
        attempts={"drop": 2, "model": 2},
        skipped="nothing in a run; by AutomationCondition on dagster/data_version",
    )
    evidence.code(drop.op, model.op)


LIVE_JOBS, LIVE_ASSETS = [hangs, hangs_in_c, slow, fan], [slow_model]
