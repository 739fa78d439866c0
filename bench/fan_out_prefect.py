"""Prefect's fan-out of tasks that do nothing, run in threads as `prefect_impl.run` runs the pipeline."""

from prefect_impl import home  # before Prefect is imported: its settings  # isort: skip
from prefect import flow, task
from prefect.futures import wait

from bench import fan_out
from prefect_impl.pipeline import late_flights

no_op = task(fan_out.no_op)


@task
def plan(width: int) -> list[int]:
    return list(range(width))


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@flow(task_runner=late_flights.task_runner, persist_result=True, result_serializer="json")
def wide(width: int) -> int:
    """As many mapped tasks as the parameter says."""
    mapped = no_op.map(plan(width))
    wait(mapped)
    return total([each.result() for each in mapped])


if __name__ == "__main__":
    home.ensure_server()
    fan_out.main(wide)
