"""The pipeline as two jobs: all in one process, and each step in a process of its own."""

import dagster as dg

retrain = dg.define_asset_job(
    "retrain",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    description="Retrain for one month, in one process.",
)

retrain_isolated = dg.define_asset_job(
    "retrain_isolated",
    selection=dg.AssetSelection.all(),
    executor_def=dg.multiprocess_executor.configured(
        {
            "max_concurrent": 2,
            "start_method": {"forkserver": {"preload_modules": ["dagster_impl.defs.checks"]}},
        }
    ),
    description="The same, with each step in a process of its own.",
)
