"""Where Airflow keeps its state, and with which settings: everything under `<home>/airflow`, nothing sent anywhere.

Airflow reads its settings when it is first imported, so this module imports Airflow only inside its functions.

It reaches into Airflow's internals to make the database: `airflow db migrate`, `airflow pools set` and `airflow dags
reserialize` do the same, but each starts a Python process of several seconds, and Airflow has no Python API for them.
"""

import fcntl
import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from filelock import FileLock

from shared.runtime.home import ROOT, default_home

HERE = Path(__file__).resolve().parent

# In the terminal only what the stages say: no line for each request, no traceback for a user's mistake.
QUIET_LOG_LEVELS = "py.warnings=ERROR airflow=WARNING airflow.sdk.definitions.dag=ERROR task=CRITICAL"


def variables(dags: Path) -> dict[str, str]:
    """Airflow's settings as environment variables; `dags` is the folder or file of the Dags."""
    bundle = {
        "name": "dags-folder",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(dags)},
    }
    return {
        "AIRFLOW_HOME": str(default_home() / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(HERE / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        # Airflow's audit log keeps what a run is asked for over the API, also if it is refused; not the value of these.
        "AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES": "source",
        "AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES": "airflow.* shared.contracts.*",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": QUIET_LOG_LEVELS,
        # For where OpenLineage is switched on; a fork of a process that has used polars hangs when it does, too.
        "AIRFLOW__OPENLINEAGE__EXECUTE_IN_THREAD": "True",
        "AIRFLOW__OPENLINEAGE__EXTRACTORS": "airflow_impl.openlineage_events.AssetExtractor",
        "AIRFLOW__LOGGING__LOG_FORMAT": "%(asctime).19s %(name)s: %(message)s",  # to the second
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), str(HERE / "config"), os.environ.get("PYTHONPATH")])),
    }


def apply(dags: Path = HERE) -> None:
    """Set the variables, before Airflow's first import."""
    os.environ.update(variables(dags.resolve()))


def folder() -> Path:
    """Airflow's own folder."""
    return Path(os.environ["AIRFLOW_HOME"])


@cache
def prepare() -> None:
    """Make the metadata database, with the Dags and the pool of the `train` tasks; many processes may come at once."""
    be_quiet()
    folder().mkdir(parents=True, exist_ok=True)
    with FileLock(folder() / "setup.lock"):
        make_config(folder() / "airflow.cfg")
        make_database()


def make_config(path: Path) -> None:
    """The file, without which the first processes of the UI all write one, at once; its key encrypts connections."""
    from cryptography.fernet import Fernet

    path.touch(mode=0o600)
    if not path.stat().st_size:
        path.write_text(f"[core]\nfernet_key = {Fernet.generate_key().decode()}\n")


def be_quiet() -> None:
    import structlog
    from airflow.timetables import trigger

    for noisy in ("airflow", "alembic", "triptych"):  # the last one's lines are for programs
        logging.getLogger(noisy).setLevel(logging.ERROR)
    # Airflow gives this logger, which tells each step of the calendar, no name to which a level could apply.
    trigger.log = structlog.get_logger(trigger.__name__)


def make_database() -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.models.pool import Pool
    from airflow.utils.db import initdb

    discard_half_made_database()
    initdb()
    Pool.create_or_update_pool("train", slots=2, description="candidates at once", include_deferred=False)
    bundles = DagBundlesManager()
    bundles.sync_bundles_to_db()
    with reserved(for_scheduler=False) as free:
        # Beside a scheduler its Dag processor keeps the Dags, as they are under the variables of the UI's command.
        for bundle in bundles.get_all_dag_bundles() if free else ():
            dags = BundleDagBag(bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
            sync_bag_to_db(dags, bundle.name, bundle_version=None)


def discard_half_made_database() -> None:
    """Delete a database that has no revision yet, as a process was killed while it made it.

    SQLite keeps each table at once, and `initdb` adds no index to a table that is there.
    """
    path = folder() / "airflow.db"
    if not path.exists():
        return
    with closing(sqlite3.connect(path)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        whole = "alembic_version" in tables and database.execute("SELECT count(*) FROM alembic_version").fetchone()[0]
    if not whole:
        for file in folder().glob("airflow.db*"):  # its journals, too
            file.unlink()


@contextmanager
def reserved(for_scheduler: bool) -> Iterator[bool]:
    """Reserve the database for one scheduler, or for any number of `dag.test()`; yields whether that could be done.

    Never for both: a scheduler takes the tasks of a run that `dag.test()` has begun for its own, and runs them again.
    """
    with (folder() / "database.lock").open("w") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if for_scheduler else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            free = True
        except BlockingIOError:
            free = False
        yield free
