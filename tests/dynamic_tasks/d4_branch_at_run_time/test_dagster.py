"""Dagster: an output that is not yielded skips what follows it; a list of inputs joins the branches again."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from tests.live.dagster import states
from tests.scenario import Scenario

BAR = 5


class Score(dg.Config):
    score: int


@dg.op(out={"better": dg.Out(int, is_required=False), "worse": dg.Out(int, is_required=False)})
def decide(config: Score) -> Iterator[dg.Output[int]]:
    yield dg.Output(config.score, "better" if config.score > BAR else "worse")


@dg.op
def promote(score: int) -> str:
    return f"promoted with {score}"


@dg.op
def keep(score: int) -> str:
    return f"kept, as the challenger has {score}"


@dg.op
def report(promoted: str, kept: str) -> list[str]:
    return [promoted, kept]


@dg.job
def obvious() -> None:
    better, worse = decide()
    report(promote(better), keep(worse))


@dg.op
def report_either(outcomes: list[str]) -> list[str]:
    return outcomes


@dg.job
def idiom() -> None:
    better, worse = decide()
    report_either([promote(better), keep(worse)])


def observe(job: dg.JobDefinition, join: str, instance: dg.DagsterInstance) -> dict[str, Any]:
    """Both decisions: a score of 7 promotes, a score of 3 keeps."""
    steps, runs = {}, []
    for score in (7, 3):
        result = job.execute_in_process(dg.RunConfig(ops={"decide": Score(score=score)}), instance)
        steps[score] = states(instance, result.run_id)
        runs.append(instance.get_run_by_id(result.run_id))
    not_taken = {steps[7].get("keep", "none"), steps[3].get("promote", "none")}
    return {
        "success": all(run.is_success for run in runs),
        "taken_runs": steps[7]["promote"] == steps[3]["keep"] == "SUCCESS" and "SUCCESS" not in not_taken,
        "skip_recorded": not_taken == {"SKIPPED"},
        "joins_again": all(states_of.get(join) == "SUCCESS" for states_of in steps.values()),
        "skipped_state": ", ".join(sorted(not_taken)),
        "run_state": ", ".join(sorted({run.status.value for run in runs})),
    }


def test_d4_branch_at_run_time(instance: dg.DagsterInstance, scenario: Scenario) -> None:
    first, second = observe(obvious, "report", instance), observe(idiom, "report_either", instance)
    assert (first["joins_again"], second["joins_again"]) == (False, True)
    assert first["skipped_state"] == second["skipped_state"] == "SKIPPED"
    scenario.obvious(decide, report, obvious, **first)
    scenario.idiom(decide, report_either, idiom, **second)
    scenario.finding(
        f"The branch that is not taken is {first['skipped_state']} in the event log and the run {first['run_state']}; "
        "a join with one input for each branch is skipped too, a join over a list of both runs with the one there is."
    )
