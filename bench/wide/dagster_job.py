"""The run of many tasks that do nothing, as a job, whose executor is Dagster's default: a process for each step."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from bench import wide as bodies
from dagster_impl.defs.resources import JsonIOManager

no_op, work = dg.op(bodies.no_op), dg.op(name="work")(bodies.work)


@dg.op(config_schema=int)
def width(context: dg.OpExecutionContext) -> int:
    return context.op_config


@dg.op(out=dg.DynamicOut(int))
def plan(number: int) -> Iterator[dg.DynamicOutput[int]]:
    for each in bodies.plan(number):
        yield dg.DynamicOutput(each, mapping_key=str(each))


@dg.op
def total(numbers: Any, width: int) -> int:
    # Dagster loads a fan-in's items one by one, each with the type of the whole input: hence `Any`.
    return bodies.total(numbers, width)


@dg.graph
def wide() -> None:
    """As many mapped ops as the config of the first one says."""
    number = width()
    for _ in range(bodies.FIXED - 2):
        number = no_op(number)
    total(plan(number).map(work).collect(), number)


wide_job = wide.to_job("wide", resource_defs={"io_manager": JsonIOManager()})


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(jobs=[wide_job])
