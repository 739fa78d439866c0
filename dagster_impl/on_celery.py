"""The pipeline with each step on a worker of Celery: what `make cluster TOOL=dagster` loads.

What differs from one machine is the job's executor, and stands here.
"""

import dagster as dg
from dagster_celery import celery_executor

from dagster_impl import definitions

retrain_on_celery = dg.define_asset_job(
    "retrain_on_celery",
    selection=dg.AssetSelection.all(),
    executor_def=celery_executor.configured(
        {"broker": {"env": "CELERY_BROKER_URL"}, "backend": {"env": "CELERY_BROKER_URL"}}
    ),
    description="Retrain for one month, each step on one of several machines.",
)


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions.merge(definitions.defs(), dg.Definitions(jobs=[retrain_on_celery]))
