"""In Prefect a branch is a plain `if`: a task that is not called has no record, unless the flow leaves one itself."""

from pathlib import Path
from typing import Any

from prefect import State, flow, task
from prefect.states import Completed

from tests.live import prefect
from tests.scenario import Scenario


@task(task_run_name="promote")
def promote(score: int) -> str:
    return "promoted"


@task(task_run_name="keep")
def keep(score: int) -> str:
    return "kept"


@task(task_run_name="report")
def report(decision: str) -> str:
    return decision


@flow
def obvious(score: int) -> str:
    return report(promote(score) if score > 5 else keep(score))


@task
def skip(score: int, why: str) -> State:
    return Completed(name="Skipped", message=why)


@flow
def idiom(score: int) -> str:
    """Each branch that is not taken ends in a state of one's own name."""
    if score > 5:
        skip.with_options(task_run_name="keep")(score, "the score is above the bar")
        return report(promote(score))
    skip.with_options(task_run_name="promote")(score, "the score is not above the bar")
    return report(keep(score))


def test_d4_branch_at_run_time(results: Path, scenario: Scenario) -> None:
    plain, named = observe(obvious, 2), observe(idiom, 3)

    assert plain["skipped_state"] == "none"
    assert named["skipped_state"] == "Skipped"
    scenario.obvious(obvious, promote, keep, report, **plain)
    scenario.idiom(idiom, skip, promote, keep, report, **named)
    scenario.finding(
        f"A branch that is not taken leaves no task run ({plain['skipped_state']}); a task that returns "
        f'`Completed(name="Skipped")` in its place shows as {named["skipped_state"]} with the reason, '
        f"and both runs were {named['run_state']}."
    )


def observe(pipeline: Any, count: int) -> dict[str, Any]:
    """Run it for a score of 3 and of 7; states of the task runs by name."""
    ends = {score: pipeline(score, return_state=True) for score in (3, 7)}
    states = {score: prefect.states(end.state_details.flow_run_id, count) for score, end in ends.items()}
    taken, not_taken = {3: "keep", 7: "promote"}, {3: "promote", 7: "keep"}
    skipped = {states[score].get(not_taken[score], "none") for score in states}
    assert len(skipped) == 1
    return {
        "success": all(end.is_completed() for end in ends.values()),
        "taken_runs": all(states[score][taken[score]] == "Completed" for score in states)
        and "Completed" not in skipped,
        "skip_recorded": skipped != {"none"},
        "joins_again": all(states[score]["report"] == "Completed" for score in states),
        "skipped_state": skipped.pop(),
        "run_state": prefect.state(ends[3].state_details.flow_run_id).name,
    }
