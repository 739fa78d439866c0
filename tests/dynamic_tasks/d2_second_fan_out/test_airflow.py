"""Airflow maps over maps and maps groups; a map inside a mapped group needs a width that is known beforehand."""

from collections import Counter
from typing import Any

import pytest
from airflow.sdk import dag, task, task_group

from tests.live.airflow import InProcess
from tests.scenario import Scenario

WIDTHS = {"a": 0, "b": 1, "c": 2}


@task
def first(item: str) -> str:
    return item


@task
def second(item: str) -> str:
    return item


@task
def members(item: str) -> list[str]:
    return [f"{item}{number}" for number in range(WIDTHS[item])]


@task
def leaf(member: str) -> str:
    return member


@task_group
def pair(item: str) -> None:
    second.override(task_id="second_of_pair")(first.override(task_id="first_of_pair")(item))


@task_group
def group_of_leaf(member: str) -> None:
    leaf(member)


@task_group
def nested(item: str) -> None:
    group_of_leaf.expand(member=members(item))


@dag(dag_id="d2_obvious", schedule=None)
def obvious() -> None:
    second.expand(item=first.expand(item=list(WIDTHS)))
    pair.expand(item=list(WIDTHS))
    nested.expand(item=list(WIDTHS))


@task
def flat(lists: list[list[str]]) -> list[str]:
    return [member for members in lists for member in members]


@dag(dag_id="d2_idiom", schedule=None)
def idiom() -> None:
    second.expand(item=first.expand(item=list(WIDTHS)))
    pair.expand(item=list(WIDTHS))
    leaf.expand(member=flat(members.expand(item=list(WIDTHS))))


obvious_dag, idiom_dag = obvious(), idiom()


def refused() -> str:
    """What Airflow says of a mapped task, rather than a mapped group, inside a mapped group."""

    @task_group
    def mapped_task(item: str) -> None:
        leaf.expand(member=members(item))

    @dag(dag_id="d2_refused", schedule=None)
    def refused_dag() -> None:
        mapped_task.expand(item=list(WIDTHS))

    with pytest.raises(NotImplementedError) as error:
        refused_dag()
    return str(error.value)


def test_d2_second_fan_out(in_process: InProcess, scenario: Scenario) -> None:
    seen: dict[Any, dict[str, str]] = {}
    for dag_of_version, record, code, leaf_id in (
        (obvious_dag, scenario.obvious, (obvious, nested, group_of_leaf), "nested.group_of_leaf.leaf"),
        (idiom_dag, scenario.idiom, (idiom, flat), "leaf"),
    ):
        run = dag_of_version.test()
        tasks = in_process.tasks(run)
        succeeded = Counter(task.task_id for task in tasks.values() if task.state == "success")
        states = {str(task.state) for task in tasks.values() if task.task_id == leaf_id}
        (state,) = states
        seen[code[0]] = {"leaf": state, "run": str(run.state)}
        record(
            *code,
            success=run.state == "success",
            map_after_map=succeeded["second"] == 3,
            group_for_each_item=succeeded["pair.first_of_pair"] == succeeded["pair.second_of_pair"] == 3,
            nested_fan_out=succeeded[leaf_id] == sum(WIDTHS.values()),
            instances=dict(sorted(Counter(task.task_id for task in tasks.values()).items())),
            nested_state=state,
        )
    scenario.finding(
        f"A mapped task in a mapped group is refused ('{refused()}'); a mapped group in one is taken, and its tasks "
        f"end {seen[obvious]['leaf']} though nothing above them failed; mapped over one flat list they ended as "
        f"{seen[idiom]['leaf']}."
    )
