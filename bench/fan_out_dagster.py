"""Dagster's fan-out of ops that do nothing, run in process as `dagster_impl.run` runs the pipeline."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from bench import fan_out
from dagster_impl.defs.resources import JsonIOManager
from dagster_impl.home import instance


@dg.op(out=dg.DynamicOut(int), config_schema=int)
def plan(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[int]]:
    for number in range(context.op_config):
        yield dg.DynamicOutput(number, mapping_key=str(number))


@dg.op
def total(numbers: Any) -> int:
    return sum(numbers)


@dg.job(resource_defs={"io_manager": JsonIOManager()}, executor_def=dg.in_process_executor)
def wide() -> None:
    """As many mapped ops as the config says."""
    total(plan().map(dg.op(fan_out.no_op)).collect())


if __name__ == "__main__":
    dagster = instance()

    def run(width: int) -> int:
        config = {"ops": {"plan": {"config": width}}}
        return wide.execute_in_process(config, dagster).output_for_node("total")

    fan_out.main(run)
