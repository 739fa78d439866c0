"""Prefect's API has each task run with its states in time, and what it logged with Prefect's logger."""

import logging
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task, unmapped
from prefect.context import TaskRunContext

from tests.live import prefect
from tests.live.watch import until
from tests.scenario import Scenario


@task(retries=1, task_run_name="{candidate}")
def fit(candidate: str, library: str) -> None:
    get_run_logger().info("fitting %s", candidate)
    logging.getLogger(library).info("a library at work on %s", candidate)
    if candidate == "b" and TaskRunContext.get().task_run.run_count == 1:
        raise ConnectionError("b has no source")


@flow
def obvious(library: str) -> None:
    fit.map(["a", "b"], unmapped(library)).result()


def observe(library: str) -> dict[str, Any]:
    ended = obvious(library, return_state=True)
    run = ended.state_details.flow_run_id
    attempts, found = prefect.attempts(run, 2), {name: prefect.task_run(name, run) for name in "ab"}
    until(lambda: all("Finished in state Completed()" in prefect.log_of_task(found[name]) for name in "ab"))
    logs = {name: "\n".join(prefect.log_of_task(found[name])) for name in "ab"}
    return {
        "success": ended.is_completed(),
        "state": [found[name].state_name for name in "ab"] == ["Completed", "Completed"],
        "tries": attempts == {"a": 1, "b": 2},
        "times": all(found[name].start_time < found[name].end_time for name in "ab"),
        "lines": all(
            f"fitting {name}" in logs[name] and f"fitting {other}" not in logs[name] for name, other in ("ab", "ba")
        ),
        "error": "b has no source" in logs["b"],
        "library": all(f"a library at work on {name}" in logs[name] for name in "ab"),
        "attempts": attempts,
        "log": len(logs["b"].splitlines()),
    }


def test_o1_what_happened(results: Path, scenario: Scenario) -> None:
    plain = observe("library")
    named = observe("shared.library")  # PREFECT_LOGGING_EXTRA_LOGGERS names `shared` and all below it
    scenario.obvious(obvious, fit, **plain)
    scenario.idiom(obvious, fit, **named)
    scenario.finding(
        f"The API has each task run by its name, with tries, times and states, and its log by the task run's id: "
        f"{plain['log']} lines for both tries of b, none of them the library's; with the library's logger named in "
        f"PREFECT_LOGGING_EXTRA_LOGGERS they were {named['log']}."
    )
