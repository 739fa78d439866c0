"""The job with each step on a worker of Celery, as dagster_impl/on_celery.py has the pipeline's."""

import dagster as dg
from dagster_celery import celery_executor

from bench.wide.dagster_job import wide
from dagster_impl.defs.resources import JsonIOManager

wide_job = wide.to_job(
    "wide",
    resource_defs={"io_manager": JsonIOManager()},
    executor_def=celery_executor.configured(
        {"broker": {"env": "CELERY_BROKER_URL"}, "backend": {"env": "CELERY_BROKER_URL"}}
    ),
)


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(jobs=[wide_job])
