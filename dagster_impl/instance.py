"""Dagster's home: `dagster` under the folder of everything made at run time."""

import os
from pathlib import Path

import dagster as dg
from filelock import FileLock

from shared import store
from shared.settings import default_home

CONFIG = Path(__file__).with_name("dagster.yaml")


def prepare() -> Path:
    """Make the home with its dagster.yaml, and name it to this process and its children."""
    home = default_home() / "dagster"
    store.write_atomically(home / "dagster.yaml", CONFIG.read_bytes())
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def instance() -> dg.DagsterInstance:
    """The persistent instance; made by one process at a time, since two would make its tables twice."""
    home = prepare()
    with FileLock(home / "setup.lock"):
        return dg.DagsterInstance.get()
