"""Airflow's database, whose making was killed after any table, is made by the next process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

MAKE = """
import os, signal, sys
from sqlalchemy import Engine, event
from airflow_impl import home

@event.listens_for(Engine, "after_cursor_execute")
def kill(connection, cursor, statement, *_):
    if f"CREATE TABLE {sys.argv[1]} (" in statement:
        os.kill(os.getpid(), signal.SIGKILL)

home.prepare()
"""


@pytest.mark.slow
def test_database_whose_making_was_killed_is_made_by_the_next_process(tmp_path: Path) -> None:
    killed = [make(tmp_path, table) for table in ("asset", "log", "alembic_version")]
    assert killed == [-signal.SIGKILL] * 3
    assert make(tmp_path, "none") == 0


def make(home: Path, table: str) -> int:
    """Make the database in a process that is killed as soon as it has made the table; its return code."""
    env = {**os.environ, "TRIPTYCH_HOME": str(home), "AIRFLOW_HOME": str(home / "airflow")}
    return subprocess.run([sys.executable, "-c", MAKE, table], env=env, timeout=120).returncode
