"""Airflow's metadata database: made on first use, and lent to many `dag.test()` or to one scheduler, never to both."""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from airflow.configuration import AIRFLOW_HOME
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
from airflow.models.pool import Pool
from airflow.utils.db import initdb
from filelock import FileLock

HOME = Path(AIRFLOW_HOME)


@cache
def prepare() -> None:
    """Make the database, with the pool of the `train` tasks and the Dag in it; many processes may come at once."""
    for noisy in ("airflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    with FileLock(HOME / "setup.lock"):
        (HOME / "airflow.cfg").touch()  # else the first processes of the UI all write one, at once
        initdb()
        Pool.create_or_update_pool("train", slots=2, description="candidates at once", include_deferred=False)
        bundles = DagBundlesManager()
        bundles.sync_bundles_to_db()
        for bundle in bundles.get_all_dag_bundles():
            dags = BundleDagBag(bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
            sync_bag_to_db(dags, bundle.name, bundle_version=None)


@contextmanager
def lent(scheduler: bool) -> Iterator[bool]:
    """Yield whether the database may be used: by a scheduler if nobody does, by `dag.test()` if no scheduler does.

    A scheduler takes the tasks of a run that `dag.test()` has begun for its own, and runs them a second time.
    """
    with (HOME / "database.lock").open("w") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if scheduler else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            free = True
        except BlockingIOError:
            free = False
        yield free
