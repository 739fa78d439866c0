"""Airflow imports this at its start. LocalExecutor's tasks are forks of the scheduler: they need not load what it has.

Without it, scikit-learn and MLflow are loaded once for each task, which takes longer than the tasks themselves.
"""

import sys
import warnings

if "scheduler" in sys.argv:
    with warnings.catch_warnings():
        # skops looks through all loaded modules as it loads, also through those that Airflow has deprecated.
        warnings.simplefilter("ignore")
        import shared.stages.deploy
        import shared.stages.ingest
        import shared.stages.train
        import shared.stages.validate
elif "api-server" in sys.argv:  # where a person stops a run, which must end at once in MLflow too
    import shared.lib.tracking  # noqa: F401
