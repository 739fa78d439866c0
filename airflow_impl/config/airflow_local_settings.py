"""Airflow imports this at its start. Tasks are forks, of the scheduler or of a Celery worker: they have what that has.

Without it, scikit-learn and MLflow are loaded once for each task, which takes longer than the tasks themselves.
"""

import sys

if "scheduler" in sys.argv or "celery" in sys.argv:
    import shared.stages.deploy
    import shared.stages.ingest
    import shared.stages.train
    import shared.stages.validate
elif "api-server" in sys.argv:  # where a person stops a run, which must end at once in MLflow too
    import shared.lib.tracking  # noqa: F401
