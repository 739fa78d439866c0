"""Dynamic tasks in Dagster: a `DynamicOut`, its `.map` and its `.collect`, in jobs of ops and in graph assets."""

import time
from collections.abc import Iterator

import dagster as dg
import pytest

from tests.evidence import Evidence
from tests.live.dagster import Engine, Pipeline

Items = Iterator[dg.DynamicOutput[str]]


def states(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    """Each step's state, as the event log has it; a step without an event has none."""
    return {its.step_key: its.status.value for its in instance.get_run_step_stats(run_id) if its.status}


class Width(dg.Config):
    n: int


@dg.op(out=dg.DynamicOut())
def numbers(config: Width) -> Iterator[dg.DynamicOutput[int]]:
    for number in range(config.n):
        yield dg.DynamicOutput(number, mapping_key=str(number))


@dg.op
def double(number: int) -> int:
    return 2 * number


@dg.op
def gather(results: list[object]) -> list[object]:
    return results


@dg.graph_asset
def doubled() -> list[object]:
    return gather(numbers().map(double).collect())


def test_d1_width_is_known_at_run_time(instance: dg.DagsterInstance, evidence: Evidence) -> None:
    """Can the number of tasks be decided by the run's data, and what if there is none?

    Yes, one step for each item, in the order of the outputs; with no item the fan-in runs with an empty list.
    """
    width = {}
    for n in (0, 1, 9, 100):
        config = dg.RunConfig(ops={"doubled": {"ops": {"numbers": {"config": {"n": n}}}}})
        result = dg.materialize([doubled], instance=instance, run_config=config)
        assert result.output_for_node("doubled") == [2 * number for number in range(n)]
        its = states(instance, result.run_id)
        width[n] = sum(step.startswith("doubled.double[") for step in its)
        assert its["doubled.gather"] == "SUCCESS"
    assert width == {0: 0, 1: 1, 9: 9, 100: 100}
    evidence(said="N steps double[i]; N = 0: fan-in SUCCESS with []", width=width, results=width)
    evidence.code(numbers, double, gather, doubled.node_def)


@dg.op(out=dg.DynamicOut())
def origins() -> Items:
    for origin in ("EWR", "JFK"):
        yield dg.DynamicOutput(origin, mapping_key=origin)


@dg.op(out=dg.DynamicOut())
def families(origin: str) -> Items:
    for family in ("logistic", "boosting"):
        yield dg.DynamicOutput(f"{origin}_{family}", mapping_key=family)


@dg.op(out=dg.DynamicOut())
def candidates(results: list[str]) -> Items:
    for origin in results:
        for family in ("logistic", "boosting"):
            yield dg.DynamicOutput(f"{origin}_{family}", mapping_key=f"{origin}_{family}")


@dg.op
def fit(candidate: str) -> str:
    return candidate


@dg.op
def score(candidate: str) -> str:
    return candidate


@dg.job
def out_in_out_in() -> None:
    clean = gather(origins().map(fit.alias("clean")).collect())
    gather.alias("gather_again")(candidates(clean).map(lambda its: score(fit(its))).collect())


def test_d2_second_fan_out(instance: dg.DagsterInstance, evidence: Evidence) -> None:
    """Can a mapped task fan out again?

    No, the definition is refused. A group of ops for each item works, and so does out, in, and out again: the second
    fan-out is flat, over all pairs.
    """
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="cannot be downstream of more than one dynamic output"):

        @dg.job
        def nested() -> None:
            gather(origins().map(families).map(fit).collect())

    with pytest.raises(dg.DagsterInvalidDefinitionError, match="cannot be downstream of more than one dynamic output"):

        @dg.job
        def nested_fan_in() -> None:
            gather(origins().map(lambda origin: gather(families(origin).map(fit).collect())).collect())

    result = out_in_out_in.execute_in_process(instance=instance)
    pairs = [f"{origin}_{family}" for origin in ("EWR", "JFK") for family in ("logistic", "boosting")]
    assert result.output_for_node("gather_again") == pairs
    its = states(instance, result.run_id)
    assert [step for step in its if step.startswith("score[")] == [f"score[{pair}]" for pair in pairs]
    evidence(said="nested: DagsterInvalidDefinitionError; flat: SUCCESS", width={"clean": 2, "fit": 4, "score": 4})
    evidence.code(candidates, fit, score, out_in_out_in)


def poison(origin: str) -> str:
    return {"EWR": "model of EWR"}[origin]


@dg.op
def report(made: object) -> None: ...


@dg.op
def train(origin: str) -> str:
    return poison(origin)


@dg.op(out=dg.Out(is_required=False))
def train_or_skip(context: dg.OpExecutionContext, origin: str) -> Iterator[dg.Output[str]]:
    try:
        yield dg.Output(poison(origin))
    except KeyError as error:
        context.log_event(dg.ExpectationResult(success=False, label=origin, description=str(error)))


@dg.job
def default() -> None:
    report(gather(origins().map(train).collect()))


@dg.job
def tolerant() -> None:
    report(gather(origins().map(train_or_skip).collect()))


def test_d3_one_of_n_fails_for_good(instance: dg.DagsterInstance, evidence: Evidence) -> None:
    """One of the mapped tasks fails for good: what of its siblings, the fan-in and the run?

    By default the siblings finish and the run fails; fan-in and what follows leave no event at all, not even a skip.
    The idiom is an output that is not required: the failed step succeeds without one, the fan-in gets the others, and
    the failure must be recorded by the code (the pipeline: a failed expectation).
    """
    failed = default.execute_in_process(instance=instance, raise_on_error=False)
    its = states(instance, failed.run_id)
    assert its == {"origins": "SUCCESS", "train[EWR]": "SUCCESS", "train[JFK]": "FAILURE"}
    events = [entry for entry in instance.all_logs(failed.run_id) if entry.dagster_event]
    assert not {"gather", "report"} & {entry.step_key for entry in events}
    assert instance.get_run_by_id(failed.run_id).status == dg.DagsterRunStatus.FAILURE

    passed = tolerant.execute_in_process(instance=instance)
    assert set(states(instance, passed.run_id).values()) == {"SUCCESS"}
    assert passed.output_for_node("gather") == ["model of EWR"]
    (step,) = [its for its in instance.get_run_step_stats(passed.run_id) if its.step_key == "train_or_skip[JFK]"]
    assert [expectation.success for expectation in step.expectation_results] == [False]
    evidence(said="run FAILURE, no event of the fan-in; idiom: SUCCESS", states=its, width=2, results=1)
    evidence.code(train_or_skip, tolerant)


@dg.op(out={"promote": dg.Out(str, is_required=False), "keep": dg.Out(str, is_required=False)})
def decide() -> Iterator[dg.Output[str]]:
    yield dg.Output("challenger", "promote")


@dg.op
def deploy(model: str) -> None: ...


@dg.job
def branches() -> None:
    promote, keep = decide()
    deploy(promote)
    report.alias("tell")(report.alias("why")(keep))


def test_d4_branch_at_run_time(instance: dg.DagsterInstance, evidence: Evidence) -> None:
    """Promote or keep, decided at run time: how does the branch that is not taken look?

    The output that is not yielded skips its branch: STEP_SKIPPED for each step of it, and the run succeeds.
    """
    result = branches.execute_in_process(instance=instance)
    its = states(instance, result.run_id)
    assert its == {"decide": "SUCCESS", "deploy": "SUCCESS", "why": "SKIPPED", "tell": "SKIPPED"}
    assert instance.get_run_by_id(result.run_id).is_success
    evidence(said="STEP_SKIPPED, run SUCCESS", states=its)
    evidence.code(decide, deploy, branches)


@dg.op
def first_guess() -> float:
    return 1.0


@dg.op
def improve(error: float) -> float:
    return error / 2


@dg.asset
def good_enough(context: dg.AssetExecutionContext) -> float:
    error = 1.0
    while error > 0.1:
        error /= 2
        context.log_event(dg.AssetObservation("good_enough", metadata={"error": error}))
    return error


def test_d5_loop_until_good_enough(instance: dg.DagsterInstance, evidence: Evidence) -> None:
    """Can a run go round until the result is good enough?

    No: the graph is built before the run, when an op's output has no value yet, and it has no cycles. People loop
    inside one op and log each round, or let a sensor launch a run for each round.
    """
    with pytest.raises(TypeError, match="not supported between instances of 'InvokedNodeOutputHandle' and 'float'"):

        @dg.job
        def rounds() -> None:
            error = first_guess()
            while error > 0.1:
                error = improve(error)

    result = dg.materialize([good_enough], instance=instance)
    seen = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_OBSERVATION)
    assert [its.asset_observation.metadata["error"].value for its in seen] == [0.5, 0.25, 0.125, 0.0625]
    evidence(said="TypeError at definition; idiom: 4 ASSET_OBSERVATION", states=states(instance, result.run_id))
    evidence.code(good_enough.op)


@dg.op(out=dg.DynamicOut())
def four() -> Iterator[dg.DynamicOutput[int]]:
    for number in range(4):
        yield dg.DynamicOutput(number, mapping_key=str(number))


@dg.op(pool="trainers")
def busy(number: int) -> None:
    time.sleep(2)


@dg.job(executor_def=dg.multiprocess_executor.configured({"max_concurrent": 4}))
def throttled() -> None:
    four().map(busy)


@pytest.mark.live
def test_d6_throttle_to_two_at_once(live: Engine, evidence: Evidence) -> None:
    """At most two of four tasks at once, and over all runs: how?

    An op's `pool`, whose limit stands in the instance; the executor's own `max_concurrent` holds for one run only.
    """
    live.instance.event_log_storage.set_concurrency_slots("trainers", 2)
    run = live.ended(live.launch("throttled"))
    assert run.is_success
    steps = [its for its in live.instance.get_run_step_stats(run.run_id) if its.step_key.startswith("busy[")]
    at_once = [sum(a.start_time <= b.start_time < a.end_time for a in steps) for b in steps]
    assert max(at_once) == 2
    evidence(said="an op's pool of 2: never more than 2 at once", width=4, results=max(at_once))
    evidence.code(four, busy, throttled)


STEPS = """query ($run: ID!) {
  runOrError(runId: $run) { ... on Run { stepStats { stepKey status } } }
  logsForRun(runId: $run) { ... on EventConnection { events { ... on MessageEvent { stepKey message } } } }
}"""


@pytest.mark.live
def test_d7_instance_is_found_by_name(live: Engine, pipeline: Pipeline, evidence: Evidence) -> None:
    """Is the instance of a candidate found by the candidate's name, `EWR/logistic`?

    By `train[EWR__logistic]`: a mapping key has letters, digits and underscores only, and a slash fails the step. The
    name itself stands in the step's log.
    """
    from dagster_impl.defs.assets import fan_out, mapping_key
    from dagster_impl.defs.resources import SettingsResource

    with pytest.raises(dg.DagsterInvalidDefinitionError, match="is not a valid name in Dagster"):
        dg.DynamicOutput("", mapping_key="EWR/logistic")

    config = dg.RunConfig(resources={"settings": SettingsResource.from_settings(pipeline.settings())})
    result = pipeline.job.execute_in_process(config, live.instance, tags={"dagster/partition": "2013-06"})
    answer = live.query(STEPS, run=result.run_id)
    found = {its["stepKey"]: its["status"] for its in answer["runOrError"]["stepStats"]}
    assert found["trained_candidates.train[EWR__logistic]"] == "SUCCESS"
    named = {its.get("stepKey") for its in answer["logsForRun"]["events"] if "EWR/logistic:" in its.get("message", "")}
    assert named == {"trained_candidates.train[EWR__logistic]"}
    evidence(said="train[EWR__logistic]", width=sum(".train[" in step for step in found))
    evidence.code(fan_out, mapping_key)


LIVE = [throttled]
