"""Dagster: an op yields a DynamicOutput for each item, `.map` makes a step of each, and `.collect` gathers them."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from tests.live.dagster import states
from tests.scenario import Scenario


class Items(dg.Config):
    n: int


@dg.op(out=dg.DynamicOut())
def items(config: Items) -> Iterator[dg.DynamicOutput[int]]:
    for number in range(config.n):
        yield dg.DynamicOutput(number, mapping_key=str(number))


@dg.op
def square(number: int) -> int:
    return number**2


@dg.op
def total(squares: list[int]) -> int:
    return sum(squares)


@dg.job
def obvious() -> None:
    total(items().map(square).collect())


def test_d1_width_known_at_run_time(instance: dg.DagsterInstance, scenario: Scenario) -> None:
    instances: dict[str, int] = {}
    successes: list[bool] = []
    steps: dict[str, Any] = {}
    for n in (1, 9, 100, 0):
        result = obvious.execute_in_process(dg.RunConfig(ops={"items": Items(n=n)}), instance)
        steps = states(instance, result.run_id)
        instances[str(n)] = sum(step.startswith("square[") for step in steps)
        successes.append(instance.get_run_by_id(result.run_id).is_success)
        assert result.output_for_node("total") == sum(number**2 for number in range(n))
    state_of_none = steps.get("total", "none")  # of the last run, that with no items
    assert instances == {"1": 1, "9": 9, "100": 100, "0": 0}
    assert state_of_none == "SUCCESS"
    scenario.obvious(
        items,
        square,
        total,
        obvious,
        success=all(successes),
        one_instance_an_item=all(instances[str(n)] == n for n in (1, 9, 100)),
        fan_in_runs_for_none=state_of_none == "SUCCESS",
        instances=instances,
        state_of_none=state_of_none,
    )
    scenario.finding(
        f"One step for each item ({instances['100']} for 100), and with no item the fan-in runs too, over an empty "
        f"list: "
        f"its step ends as {state_of_none}."
    )
