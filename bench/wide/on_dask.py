"""The flow with its mapped tasks on a Dask cluster, as prefect_impl/on_dask.py has the pipeline's."""

import os

from prefect_dask import DaskTaskRunner

from bench.wide import prefect_flow

wide = prefect_flow.wide.with_options(
    task_runner=DaskTaskRunner(address=os.environ["DASK_SCHEDULER"]),
    result_storage="remote-file-system/late-flights",
)
