"""Asks a tool for runs of many tasks that do nothing, and writes down what its own records tell of them."""

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version
from typing import NamedTuple, TypeVar

import psutil

from bench.wide import FIXED
from shared.settings import default_home

T = TypeVar("T")
REPEATS, FEW = 3, 10
"""Widths up to FEW are measured REPEATS times, larger ones once."""
LIMIT = 720
"""Seconds for all runs of a tool in a mode: one that has not ended by then is stopped, and wider ones are not tried."""


class Run(NamedTuple):
    """When a run and its first task began, and when the run ended, by the tool's record; seconds since 1970."""

    start: float
    end: float
    first_task: float


Ask = Callable[[int, float], Run]
"""Asks for a run of a width, waits until it ends well, at most until the time given, and reads its record."""


def main(package: str, modes: Mapping[str, Callable[[], AbstractContextManager[Ask]]]) -> None:
    """Run the widths of the command line in its mode, after a run that warms up."""
    mode, *widths = sys.argv[1:]
    with modes[mode]() as ask:
        up = time.time() - psutil.Process().create_time()
        ask(1, time.time() + LIMIT)
        found = measure(ask, [int(width) for width in widths], time.time() + LIMIT)
    path = default_home() / "fan_out.json"
    path.write_text(json.dumps({"version": version(package), "up": up, **found}), "utf-8")


def measure(ask: Ask, widths: Sequence[int], deadline: float) -> dict[str, object]:
    """The median seconds of a task by width, None if such a run did not end in time, and those before the first."""
    per_task: dict[int, float | None] = dict.fromkeys(widths)
    waits = []
    try:
        for width in widths:
            asked_and_run = [(time.time(), ask(width, deadline)) for _ in range(REPEATS if width <= FEW else 1)]
            waits += [run.first_task - asked for asked, run in asked_and_run]
            per_task[width] = statistics.median(run.end - run.start for _, run in asked_and_run) / (FIXED + width + 1)
    except TimeoutError:
        pass
    return {"first_task": statistics.median(waits) if waits else None, "per_task": per_task}


def until(look: Callable[[], T], deadline: float | None = None) -> T:
    """What `look` returns, as soon as that is true. Raises TimeoutError if it is not by the deadline, or LIMIT."""
    last = deadline or time.time() + LIMIT
    while not (found := look()):
        if time.time() > last:
            raise TimeoutError
        time.sleep(1)  # a look is work for the engine, too
    return found
