"""The flow with its mapped tasks on a Dask cluster, and results where all machines find them.

What differs from one machine is the flow's configuration, and stands here; `make cluster TOOL=prefect` deploys it.
"""

import os

from prefect_dask import DaskTaskRunner

from prefect_impl import pipeline

late_flights = pipeline.late_flights.with_options(
    task_runner=DaskTaskRunner(address=os.environ["DASK_SCHEDULER"]),
    result_storage="remote-file-system/late-flights",
)
