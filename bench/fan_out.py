"""Seconds of a task that does nothing, by how many of them there are: a run plans them, maps over them, and adds up.

Each tool's flow is in `fan_out_<tool>.py`, and runs in the mode in which the tool's `make` target runs the pipeline.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from shared.settings import ROOT
from tools.demo import python_of

TOOLS = ("airflow", "prefect", "dagster")
WIDTHS = (1, 10, 100, 300, 1000)
REPEATS, FEW = 3, 10
"""Widths up to FEW are measured REPEATS times, larger ones once."""


def seconds(home: Path, widths: Sequence[int] = WIDTHS) -> dict[str, dict[int, float]]:
    """By tool and width the median seconds of a run, divided by the number of its tasks: the width and two more."""
    return {tool: per_task(tool, home, widths) for tool in TOOLS}


def per_task(tool: str, home: Path, widths: Sequence[int]) -> dict[int, float]:
    """One process of the tool measures all widths, after a run that warms up."""
    command = [python_of(tool), "-m", f"bench.fan_out_{tool}", *map(str, widths)]
    env = {**os.environ, "TRIPTYCH_HOME": str(home)}
    with (home / "log.txt").open("w") as log:
        done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=log, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the fan-out of {tool} failed with status {done.returncode}; see {log.name}")
    printed = next(line for line in done.stdout.splitlines() if line.startswith("{"))  # Airflow may log there, too
    runs = json.loads(printed)
    return {width: statistics.median(runs[str(width)]) / (width + 2) for width in widths}


def no_op(number: int) -> int:
    """The body of the mapped tasks, for all tools the same."""
    return number


def main(run: Callable[[int], int]) -> None:
    """Print the seconds of runs of the widths on the command line; `run` runs a flow and returns what it added up."""
    timed(run, 1)
    widths = map(int, sys.argv[1:])
    print(json.dumps({width: [timed(run, width) for _ in range(REPEATS if width <= FEW else 1)] for width in widths}))


def timed(run: Callable[[int], int], width: int) -> float:
    began = time.perf_counter()
    found = run(width)
    spent = time.perf_counter() - began
    if found != sum(range(width)):
        sys.exit(f"the numbers below {width} add up to {found}, expected {sum(range(width))}; some tasks are lost")
    return spent
