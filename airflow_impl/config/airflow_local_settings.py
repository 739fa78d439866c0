"""Airflow imports this at its start. Each task of LocalExecutor is a fork of the scheduler: what that has loaded, a task
need not load anew. Without it, scikit-learn and MLflow are loaded once for each of the 16 tasks, 3 to 5 s each time.
"""

import sys

if "scheduler" in sys.argv:
    import shared.deploy
    import shared.ingest
    import shared.train
    import shared.validate  # noqa: F401
