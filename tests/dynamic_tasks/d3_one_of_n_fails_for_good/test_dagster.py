"""Dagster: a failed step stops the fan-in without a trace; a failure that is handed on as None does not."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from tests.live.dagster import states
from tests.scenario import Scenario

ORIGINS = ("EWR", "JFK", "LGA")


@dg.op(out=dg.DynamicOut())
def origins() -> Iterator[dg.DynamicOutput[str]]:
    for origin in ORIGINS:
        yield dg.DynamicOutput(origin, mapping_key=origin)


def fit(origin: str) -> str:
    if origin == "JFK":
        raise ValueError("only one class in the training rows")
    return f"model of {origin}"


@dg.op
def train(origin: str) -> str:
    return fit(origin)


@dg.op
def gather(models: list[Any]) -> list[str]:
    return [model for model in models if model]


@dg.job
def obvious() -> None:
    gather(origins().map(train).collect())


@dg.op
def try_to_train(context: dg.OpExecutionContext, origin: str) -> str | None:
    try:
        return fit(origin)
    except ValueError as error:
        context.log_event(dg.ExpectationResult(success=False, label=origin, description=str(error)))
        return None


@dg.op
def fail_if_one_is_missing(models: list[Any], gathered: list[str]) -> None:
    if len(gathered) < len(models):
        raise dg.Failure(f"{len(gathered)} of {len(models)} models were trained")


@dg.job
def idiom() -> None:
    models = origins().map(try_to_train).collect()
    fail_if_one_is_missing(models, gather(models))


def observe(job: dg.JobDefinition, train_op: str, instance: dg.DagsterInstance) -> dict[str, Any]:
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    steps = states(instance, result.run_id)
    run = instance.get_run_by_id(result.run_id)
    gathered = len(result.output_for_node("gather")) if "gather" in steps else 0
    return {
        "success": run.is_success,
        "siblings_finish": all(steps[f"{train_op}[{origin}]"] == "SUCCESS" for origin in ("EWR", "LGA")),
        "fan_in_runs": steps.get("gather") == "SUCCESS" and gathered == 2,
        "failure_shown": run.status == dg.DagsterRunStatus.FAILURE,
        "run_state": run.status.value,
        "results": gathered,
        "states": steps | {"gather": steps.get("gather", "none")},
    }


def test_d3_one_of_n_fails_for_good(instance: dg.DagsterInstance, scenario: Scenario) -> None:
    first, second = observe(obvious, "train", instance), observe(idiom, "try_to_train", instance)
    assert (first["run_state"], first["states"]["train[JFK]"], first["states"]["gather"]) == (
        "FAILURE",
        "FAILURE",
        "none",
    )
    assert (second["run_state"], second["states"]["try_to_train[JFK]"], second["results"]) == ("FAILURE", "SUCCESS", 2)
    scenario.obvious(train, gather, obvious, **first)
    scenario.idiom(try_to_train, gather, fail_if_one_is_missing, idiom, **second)
    scenario.finding(
        f"The siblings finish and the run is {first['run_state']}, but the fan-in leaves no event at all, not even a "
        f"skip. Who hands a failure on as None gets a fan-in over the {second['results']} others; then the failed "
        f"candidate's own step is {second['states']['try_to_train[JFK]']} with a failed expectation, and a last step "
        f"has to make the run {second['run_state']}. (The pipeline has a warning check in place of that last step, as "
        "one bad candidate is no failed month.)"
    )
