"""Dagster's event log has all that a step did and logged, under the step's key."""

import logging
from collections.abc import Iterator
from typing import Any

import dagster as dg

from tests.live.dagster import attempts, states
from tests.scenario import Scenario


@dg.op(out=dg.DynamicOut())
def candidates() -> Iterator[dg.DynamicOutput[str]]:
    for name in "ab":
        yield dg.DynamicOutput(name, mapping_key=name)


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def fit(context: dg.OpExecutionContext, candidate: str) -> None:
    context.log.info(f"fitting {candidate}")
    logging.getLogger("library").info("a library at work on %s", candidate)
    if candidate == "b" and context.retry_number == 0:
        raise ConnectionError("b has no source")


@dg.job
def obvious() -> None:
    candidates().map(fit)


def log_of(instance: dg.DagsterInstance, run_id: str, step: str) -> str:
    """The messages and errors of the step's events."""
    lines = []
    for entry in instance.all_logs(run_id):
        if entry.step_key == step:
            error = getattr(entry.dagster_event and entry.dagster_event.event_specific_data, "error", None)
            lines += [entry.user_message or entry.message, *([error.to_string()] if error else [])]
    return "\n".join(lines)


def observe(settings: dict[str, Any]) -> dict[str, Any]:
    with dg.instance_for_test(overrides={"telemetry": {"enabled": False}, **settings}) as instance:
        result = obvious.execute_in_process(instance=instance)
        logs = {name: log_of(instance, result.run_id, f"fit[{name}]") for name in "ab"}
        stats = {each.step_key: each for each in instance.get_run_step_stats(result.run_id)}
        tried, found = attempts(instance, result.run_id), states(instance, result.run_id)
    times = [(stats[f"fit[{name}]"].start_time or 0, stats[f"fit[{name}]"].end_time or 0) for name in "ab"]
    return {
        "success": result.success,
        "state": [found[f"fit[{name}]"] for name in "ab"] == ["SUCCESS", "SUCCESS"],
        "tries": [tried[f"fit[{name}]"] for name in "ab"] == [1, 2],
        "times": all(start < end for start, end in times),
        "lines": all(
            f"fitting {name}" in logs[name] and f"fitting {other}" not in logs[name] for name, other in ("ab", "ba")
        ),
        "error": "b has no source" in logs["b"],
        "library": all(f"a library at work on {name}" in logs[name] for name in "ab"),
        "attempts": tried,
        "log": len(logs["b"].splitlines()),
    }


def test_o1_what_happened(scenario: Scenario) -> None:
    plain = observe({})
    managed = observe({"python_logs": {"managed_python_loggers": ["library"], "python_log_level": "INFO"}})
    scenario.obvious(obvious, fit, **plain)
    scenario.idiom(obvious, fit, **managed)
    scenario.finding(
        f"The event log has each step by its key, such as fit[b], with state, attempts, times, errors and what it "
        f"logged: {plain['log']} lines for both tries of b, none of them the library's; with the library's logger "
        f"among dagster.yaml's managed_python_loggers they were {managed['log']}."
    )
