"""Airflow's REST API has each try of a task instance, with a log of its own."""

import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import dag, task

from tests.live.airflow import Engine
from tests.scenario import Scenario

log, library = logging.getLogger(__name__), logging.getLogger("library")


@dag(dag_id="o1_obvious", schedule=None)
def obvious() -> None:
    @task(retries=1, retry_delay=timedelta(seconds=1), map_index_template="{{ task.op_kwargs['candidate'] }}")
    def fit(candidate: str, *, ti: Any) -> None:
        log.info("fitting %s", candidate)
        library.info("a library at work on %s", candidate)
        if candidate == "b" and ti.try_number == 1:
            raise ConnectionError("b has no source")

    fit.expand(candidate=["a", "b"])


obvious_dag = obvious()


@pytest.mark.live
def test_o1_what_happened(live: Engine, scenario: Scenario) -> None:
    run = live.start("o1_obvious")
    state = live.wait(run)
    attempts, tries = live.attempts(run), {name: live.tries(run, f"fit {name}") for name in "ab"}
    logs = {name: "\n".join(live.log(run, f"fit {name}", each["try_number"]) for each in tries[name]) for name in "ab"}
    times = [(each["start_date"], each["end_date"]) for name in "ab" for each in tries[name]]
    scenario.obvious(
        obvious,
        success=state == "success",
        state=live.states(run) == {"fit a": "success", "fit b": "success"},
        tries=attempts == {"fit a": 1, "fit b": 2},
        times=all(datetime.fromisoformat(start) < datetime.fromisoformat(end) for start, end in times),
        lines=all(
            f"fitting {name}" in logs[name] and f"fitting {other}" not in logs[name] for name, other in ("ab", "ba")
        ),
        error="b has no source" in logs["b"],
        library=all(f"a library at work on {name}" in logs[name] for name in "ab"),
        attempts=attempts,
        log=len(logs["b"].splitlines()),
    )
    states = [each["state"] for each in tries["b"]]
    scenario.finding(
        f"The REST API has each try of an instance by itself, with state ({', '.join(states)}), start, end and a log "
        f"of its own: the error of b stands in that of its first try, its line and the library's in both."
    )
