"""The run of many tasks that do nothing, as a flow."""

import os

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

from bench import wide as bodies

work, plan, total = task(bodies.work), task(bodies.plan), task(bodies.total)
fixed = task(bodies.no_op, cache_policy=NO_CACHE)  # all get the same number: the second would come from the cache


# As late_flights has them, whose module would load all libraries of the pipeline.
@flow(
    task_runner=ThreadPoolTaskRunner(max_workers=bodies.AT_ONCE or os.cpu_count()),
    persist_result=True,
    result_serializer="json",
)
def wide(width: int) -> int:
    """As many mapped tasks as the parameter says."""
    for _ in range(bodies.FIXED - 1):
        width = fixed(width)
    mapped = work.map(plan(width))
    wait(mapped)
    return total([each.result() for each in mapped], width)
