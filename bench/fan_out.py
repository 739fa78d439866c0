"""Seconds of a task that does nothing, by how many of them there are and by what runs them.

A run has six tasks one after the other, as many mapped ones as it is wide, and one that adds up: bench/wide.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from bench import runs
from bench.wide import FIXED
from tools.demo import python_of

WIDTHS = (1, 10, 100, 300, 1000)
FITS = 9
MODES = {
    "in_process": ("airflow", "prefect", "dagster"),
    "live": ("airflow", "prefect", "dagster", "dagster-forkserver", "dagster-one-process"),
    "distributed": ("airflow", "prefect", "dagster"),
}
"""What is measured in each mode: a tool, and of Dagster also other executors than the one that it has by default."""
ALL = [(mode, row) for mode, rows in MODES.items() for row in rows]
SERVED = [(mode, row) for mode, row in ALL if mode != "in_process"]
"""Those with servers: each takes up to a quarter of an hour."""


def measure(
    mode: str, row: str, widths: Sequence[int] = WIDTHS, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A process of the tool starts the engine once, asks it for all runs, and writes down what the records tell.

    In process, memory is that of this process and of what it starts, else of what it starts alone.
    """
    tool, _, variant = row.partition("-")
    words = [f"{mode}-{variant}" if variant else mode, *map(str, widths)]
    home = runs.HOME / "fan-out" / mode / row
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    env = {**(env or {}), "TRIPTYCH_HOME": str(home)}
    module = f"bench.wide.run_{tool}"
    _, memory = runs.measure(python_of(tool), module, *words, env=env, but_itself=mode != "in_process")
    return {**json.loads((home / "fan_out.json").read_text("utf-8")), "memory_mb": memory}


def two_cores() -> dict[str, dict[str, float]]:
    """Seconds of a live run with nine fits, one at a time and two at once, as the tool's own setting says."""
    found = {}
    for row in ("airflow", "prefect", "dagster-forkserver"):
        one, two = (seconds_of_fits(row, at_once) for at_once in ("1", "2"))
        found[row] = {"one": one, "two": two, "ratio": one / two}
    return found


def seconds_of_fits(row: str, at_once: str) -> float:
    env = {"FITS_AT_ONCE": at_once, "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": at_once}
    return float(measure("live", row, [FITS], env)["per_task"][str(FITS)] * (FIXED + FITS + 1))
