"""In Prefect a map takes the futures of a map, and a group of tasks is a flow of its own, which may fan out again."""

from collections import Counter
from pathlib import Path

from prefect import flow, task

from tests.live import prefect
from tests.scenario import Scenario

ITEMS = [0, 1, 2]


@task(task_run_name="first")
def first(n: int) -> int:
    return n + 1


@task(task_run_name="second")
def second(n: int) -> int:
    return n * 10


@task(task_run_name="members of {n}")
def members(n: int) -> list[int]:
    """As many members as the number says."""
    return list(range(n))


@task(task_run_name="member of {n}")
def member(i: int, n: int) -> int:
    return 10 * n + i


@task(task_run_name="count")
def count(group: list[int]) -> int:
    return len(group)


@flow(flow_run_name="group {n}")
def group(n: int) -> int:
    found = members(n)
    return count(member.map(found, n))


@flow
def obvious() -> tuple[list[int], list[int]]:
    mapped = second.map(first.map(ITEMS))
    return mapped.result(), [group(n) for n in ITEMS]


def test_d2_second_fan_out(results: Path, scenario: Scenario) -> None:
    end = obvious(return_state=True)
    run = end.state_details.flow_run_id
    top = prefect.task_runs(run, 2 * len(ITEMS) + len(ITEMS))
    wired = [task_run for task_run in top if task_run.name == "second" and task_run.task_inputs["n"]]
    groups = [task_run for task_run in top if task_run.name.startswith("group-")]
    children = [task_run.state.state_details.child_flow_run_id for task_run in groups]
    inside = [prefect.task_runs(child, n + 2) for n, child in zip(ITEMS, children, strict=True)]
    instances = Counter(task_run.name for runs in (top, *inside) for task_run in runs)
    widths = [instances[f"member of {n}"] for n in ITEMS]

    assert end.result() == ([10, 20, 30], ITEMS)
    assert all(task_run.task_inputs["n"][0].input_type == "task_run" for task_run in wired)
    assert widths == ITEMS
    scenario.obvious(
        obvious,
        group,
        members,
        member,
        count,
        success=end.is_completed(),
        map_after_map=len(wired) == instances["first"] == len(ITEMS),
        group_for_each_item=len(groups) == len(ITEMS) and instances["count"] == len(ITEMS),
        nested_fan_out=widths == ITEMS,
        instances=dict(instances),
        nested_state=groups[-1].state_name,
    )
    scenario.finding(
        f"The second map's {len(wired)} task runs each took one future of the first; each of {len(groups)} groups was "
        f"a flow run in the flow run, and inside they fanned out to {widths[0]}, {widths[1]} and {widths[2]} members."
    )
