"""Dagster has no limit for a step; `dagster/max_runtime` ends a run, but not the process of a step that is in C."""

import subprocess
import sys
import time
from hashlib import pbkdf2_hmac

import dagster as dg
import pytest

from tests.live.dagster import Engine, states
from tests.live.watch import alive, until
from tests.scenario import Scenario

# In the run's own process a step begins at once: a process of its own may take longer to start than the limit.
LIMIT = {"dagster/max_runtime": "2", "dagster/max_retries": "0"}
IN_TIME = 15
START, FAILURE = dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_FAILURE


@dg.op
def wait() -> None:
    time.sleep(3600)


@dg.op
def call_c() -> None:
    pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # many minutes


@dg.job(executor_def=dg.in_process_executor, tags=LIMIT)
def r4_obvious_wait() -> None:
    wait()


@dg.job(executor_def=dg.in_process_executor, tags=LIMIT)
def r4_obvious_call_c() -> None:
    call_c()


@dg.op
def wait_in_process() -> None:
    subprocess.run([sys.executable, "-c", "import time; time.sleep(3600)"], timeout=2)


@dg.op
def call_c_in_process() -> None:
    code = "from hashlib import pbkdf2_hmac; pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)"
    subprocess.run([sys.executable, "-c", code], timeout=2)


@dg.job
def r4_idiom() -> None:
    wait_in_process()
    call_c_in_process()


LIVE = dg.Definitions(jobs=[r4_obvious_wait, r4_obvious_call_c, r4_idiom])


def seconds_of_step(live: Engine, run_id: str, step: str) -> float:
    start, end = (live.event(run_id, kind, step).timestamp for kind in (START, FAILURE))
    return round(end - start, 1)


@pytest.mark.live
def test_r4_hung_task(live: Engine, scenario: Scenario) -> None:
    runs = {"wait": live.start("r4_obvious_wait"), "call_c": live.start("r4_obvious_call_c")}
    pids = {step: live.pid(run_id) for step, run_id in runs.items()}
    ended = {step: live.wait(run_id) for step, run_id in runs.items()}
    times = {step: live.times(run_id) for step, run_id in runs.items()}
    seconds = {f"{step}, run limit": round(end - start, 1) for step, (start, end) in times.items()}
    until(lambda: not alive(pids["wait"]), IN_TIME)
    left = [step for step, pid in pids.items() if alive(pid)]
    found = {step: states(live.instance, run_id).get(step, "no event") for step, run_id in runs.items()}
    for step in left:
        live.kill(pids[step])
    scenario.obvious(
        wait, call_c, r4_obvious_wait, r4_obvious_call_c,
        success=any(run.is_success for run in ended.values()),
        wait_ended_by_task_limit=False,  # there is no limit for a task
        wait_ended_by_run_limit=seconds["wait, run limit"] < IN_TIME and "wait" not in left,
        c_call_ended=seconds["call_c, run limit"] < IN_TIME and "call_c" not in left,
        states={step: f"step {found[step]}, run {ended[step].status.value}" for step in runs},
        seconds=seconds,
        left_running=", ".join(f"the process of {step}" for step in left) or "nothing",
    )  # fmt: skip

    run_id = live.start("r4_idiom")
    workers = [live.pid(run_id, step) for step in ("wait_in_process", "call_c_in_process")]
    run, found = live.wait(run_id), states(live.instance, run_id)
    took = {step: seconds_of_step(live, run_id, step) for step in found}
    own_left = [pid for pid in workers if alive(pid)]
    scenario.idiom(
        wait_in_process, call_c_in_process, r4_idiom,
        success=run.is_success,
        own_code="Work in a process of one's own that is killed after 2 seconds: Dagster has no limit for a step.",
        wait_ended_by_task_limit=found["wait_in_process"] == "FAILURE" and took["wait_in_process"] < IN_TIME,
        wait_ended_by_run_limit=seconds["wait, run limit"] < IN_TIME and "wait" not in left,
        c_call_ended=found["call_c_in_process"] == "FAILURE" and took["call_c_in_process"] < IN_TIME and not own_left,
        states=found | {"run": run.status.value},
        seconds=took,
        left_running=", ".join(map(str, own_left)) or "nothing",
    )  # fmt: skip
    scenario.finding(
        f"Dagster has no limit for a step. Its limit for a run, dagster/max_runtime, ended the run that waits after "
        f"{seconds['wait, run limit']} s, but the run that is in C after {seconds['call_c, run limit']} s in the "
        f"record only (still running: {', '.join(left) or 'nothing'}). If the work has a process of its own, that can "
        "be killed in both cases."
    )
