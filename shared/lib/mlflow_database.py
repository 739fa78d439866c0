"""MLflow's database: made whole or not at all."""

import shutil
import sqlite3
from contextlib import closing

from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from shared.contracts import PermanentError
from shared.settings import Settings


def create(settings: Settings) -> None:
    """Create MLflow's database elsewhere and rename it: a process that is killed meanwhile leaves none."""
    aside = settings.mlflow / "new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    database = aside / "mlflow.db"
    store = SqlAlchemyStore(f"sqlite:///{database}", (settings.mlflow / "artifacts").as_uri())
    store.engine.dispose()
    database.rename(settings.mlflow_database)
    aside.rmdir()


def check_whole(settings: Settings, busy_seconds: float) -> None:
    """Raise PermanentError if a run was stopped while creating the database: MLflow would answer with SQL."""
    with closing(sqlite3.connect(settings.mlflow_database, timeout=busy_seconds)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        whole = "alembic_version" in tables and database.execute("SELECT count(*) FROM alembic_version").fetchone()[0]
    if not whole:
        raise PermanentError(
            f"{settings.mlflow_database} is not whole, as a run was stopped while creating it; delete this file, and "
            "run the month again"
        )
