"""Dagster: a job's graph has no cycle and is built before the run; a sensor can request a run for each round."""

from collections.abc import Iterator

import dagster as dg
import pytest

from tests.live.dagster import SCENARIOS, Engine
from tests.live.watch import until
from tests.scenario import Scenario

GOOD_ENOUGH = 0.1


@dg.op
def first_guess() -> float:
    return 1.0


@dg.op
def improve(error: float) -> float:
    return error / 2


def obvious() -> None:
    error = first_guess()
    while error > GOOD_ENOUGH:
        error = improve(error)


def cycle() -> None:
    dg.GraphDefinition(
        "cycle",
        node_defs=[improve],
        dependencies={
            dg.NodeInvocation("improve", alias="once"): {"error": dg.DependencyDefinition("again")},
            dg.NodeInvocation("improve", alias="again"): {"error": dg.DependencyDefinition("once")},
        },
    ).to_job()


@dg.asset(name="d5_model")
def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"error": float(context.run.tags.get("error", 1.0)) / 2})


a_round = dg.define_asset_job("d5_round", [model], executor_def=dg.in_process_executor)


@dg.run_status_sensor(
    dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[a_round],
    request_job=a_round,
    minimum_interval_seconds=1,
)
def d5_another_round(context: dg.RunStatusSensorContext) -> Iterator[dg.RunRequest]:
    error = errors(context.instance, context.dagster_run.run_id)[0]
    if error > GOOD_ENOUGH:
        yield dg.RunRequest(tags={"error": str(error), "first": context.dagster_run.tags["first"]})


def errors(instance: dg.DagsterInstance, run_id: str) -> list[float]:
    """The error of each materialization of the run."""
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    return [entry.asset_materialization.metadata["error"].value for entry in entries]


@pytest.mark.live
def test_d5_loop_until_good_enough(live: Engine, scenario: Scenario, request: pytest.FixtureRequest) -> None:
    with pytest.raises(TypeError, match="not supported between instances of 'InvokedNodeOutputHandle' and 'float'"):
        dg.job(obvious)
    with pytest.raises(dg.DagsterInvalidDefinitionError) as refusal:
        cycle()
    assert "Circular dependencies exist" in str(refusal.value)
    error = f"{refusal.type.__name__}: Circular dependencies exist"
    none = live.instance.get_runs(dg.RunsFilter(job_name="obvious"))
    scenario.obvious(
        improve, obvious, success=bool(none), loops=bool(none), rounds_recorded=bool(none), rounds=len(none),
        records=len(none), refusal=error,
    )  # fmt: skip

    first = {"first": request.node.nodeid}

    def finished() -> list[dg.DagsterRun]:
        runs = live.instance.get_runs(dg.RunsFilter(tags=first))
        return runs if all(run.is_finished for run in runs) and seen(runs)[-1:] <= [GOOD_ENOUGH] else []

    def seen(runs: list[dg.DagsterRun]) -> list[float]:
        return sorted((error for run in runs for error in errors(live.instance, run.run_id)), reverse=True)

    with live.sensor(SCENARIOS, "d5", "d5_another_round"):
        live.start("d5_round", tags=first)
        runs = until(finished)
    rounds = seen(runs)
    assert rounds == [0.5, 0.25, 0.125, 0.0625]
    scenario.idiom(
        model,
        success=all(run.is_success for run in runs),
        loops=rounds[-1] <= GOOD_ENOUGH < rounds[-2],
        rounds_recorded=len(runs) == len(rounds),
        rounds=len(rounds),
        records=len(runs),
        refusal=error,
    )
    scenario.finding(
        f"A `while` over an op's output is a TypeError when the job is defined, as the output has no value yet, and a "
        f"cycle in the graph is refused ({error}). A sensor on the job's own success requests the next round: "
        f"{len(runs)} runs until the error is {rounds[-1]}. (Who needs no record of each round writes the loop inside "
        f"one asset.)"
    )


LIVE = dg.Definitions(assets=[model], jobs=[a_round], sensors=[d5_another_round])
