"""Locks between processes: files in the home, or PostgreSQL's advisory locks, which hold between machines."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from filelock import FileLock

from shared.contracts import TransientError
from shared.settings import Settings

# The server looks after 30 s of silence whether the holder's machine is still there, and gives it up 30 s later.
KEEPALIVE = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"


def lock(name: str, settings: Settings) -> AbstractContextManager[object]:
    """Held by one process at a time, on this machine or, with `TRIPTYCH_LOCKS`, on all that use the same database.

    The others wait. A holder that dies gives it back.
    """
    if settings.lock_database:
        return advisory_lock(name, settings.lock_database)
    return FileLock(settings.mlflow / f"{name}.lock")


@contextmanager
def advisory_lock(name: str, database: str) -> Iterator[None]:
    """Raises TransientError if the database does not answer, or has lost the lock by the end of the block.

    PostgreSQL: "Advisory Locks"; it frees those of a session when that ends.
    """
    import psycopg  # for those who use it only

    try:
        with psycopg.connect(database, autocommit=True, application_name="triptych", options=KEEPALIVE) as session:
            session.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
            yield
            session.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])
    except psycopg.OperationalError as error:
        raise TransientError(
            f"the database of the locks does not answer ({str(error).splitlines()[0]}); see to it that TRIPTYCH_LOCKS "
            "is right and the database up, and run the month again"
        ) from error
