"""Runs of one month in each tool, each from an empty store: seconds and memory, and what a run of no-ops takes."""

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import psutil
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from bench import ui
from shared.runtime import records
from shared.runtime.records import TOOLS
from shared.settings import ROOT, Settings
from tools.demo import python_of, wall

HOME = ROOT / ".local" / "bench"
MONTH = "2013-06"
REPEATS = 2
LOOK_SECONDS = 0.5


def measure(
    python: Path, *arguments: str, env: Mapping[str, str] | None = None, but_itself: bool = False
) -> tuple[float, float]:
    """Run a Python module to its end; returns wall seconds, and the most memory that its processes had, in MB.

    With `but_itself` that of the processes alone that it starts.
    """
    log = (HOME / "log.txt").open("wb")
    began = time.perf_counter()
    env = {**os.environ, "TRIPTYCH_HOME": str(HOME), **(env or {})}
    process = subprocess.Popen([python, "-m", *arguments], cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)
    ended = Event()
    with ThreadPoolExecutor() as pool:
        memory = pool.submit(peak_memory, process.pid, ended, but_itself)
        status = process.wait()
        seconds = time.perf_counter() - began
        ended.set()
    if status:
        sys.exit(f"{' '.join(arguments)} failed; see {log.name}")
    return seconds, memory.result()


def peak_memory(pid: int, ended: Event, but_itself: bool) -> float:
    """The most MB that the process and all that it has started had together, at any look until the end."""
    peak, wait = 0.0, LOOK_SECONDS
    while not ended.wait(wait):
        began = time.thread_time()
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            itself = [] if but_itself else [process]
            peak = max(peak, sum(map(memory_of, [*itself, *process.children(recursive=True)])))
        wait = max(LOOK_SECONDS, 20 * (time.thread_time() - began))  # a look at many processes takes from their cores
    return peak


def memory_of(process: psutil.Process) -> float:
    """MB of the process's own and its part of what it shares with others (PSS); on macOS of its own alone."""
    try:
        info = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # it has ended meanwhile
        return 0.0
    return getattr(info, "pss", info.uss) / 2**20


def tools() -> dict[str, dict[str, float]]:
    """For each tool the medians of a run of one month and of its floor: as many no-op tasks in the same mode."""
    results: dict[str, dict[str, float]] = {}
    for tool in TOOLS:
        runs = [fresh_run(tool) for _ in range(REPEATS + 1)][1:]  # the first one warms up
        found = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        floor = floor_of(tool)
        base = results["plain"]["seconds"] if results else found["seconds"]
        results[tool] = {**found, "floor": floor, "ratio": found["seconds"] / (base + floor)}
    return results


def floor_of(tool: str) -> float:
    if tool == "plain":
        return 0.0
    return statistics.median([measure(python_of(tool), f"bench.floor_{tool}")[0] for _ in range(REPEATS + 1)][1:])


def fresh_run(tool: str, *arguments: str, env: Mapping[str, str] | None = None) -> dict[str, float]:
    """One run from an empty store and registry, in seconds and MB.

    `seconds` are those of the process, `first_stage` those until its first stage begins, `run` those between the run's
    start and end on its record, `stages` the sum of those that stages took.
    """
    settings = Settings(tool=tool, home=HOME)
    shutil.rmtree(settings.store, ignore_errors=True)
    with contextlib.suppress(MlflowException):  # at the first run there is none
        MlflowClient(settings.tracking_uri).delete_registered_model(settings.model_name)
    module = "shared.plain" if tool == "plain" else f"{tool}_impl.run"
    began = datetime.now(UTC)
    seconds, memory = measure(python_of(tool), module, MONTH, *arguments, env=env)
    record = records.read(tool, MONTH, HOME)
    ran = [(stage.started, stage.ended) for stage in record.stages if stage.started and stage.ended]
    return {
        "seconds": seconds,
        "first_stage": (min(ran)[0] - began).total_seconds(),
        "run": wall(record),
        "stages": sum((ended - started).total_seconds() for started, ended in ran),
        "memory_mb": memory,
    }


def versions() -> dict[str, str]:
    """Each tool's, from the record of its last run."""
    return {tool: records.read(tool, MONTH, HOME).tool_version for tool in TOOLS}


def in_ui() -> dict[str, dict[str, float]]:
    """Seconds of a run that each tool's UI starts, and as a multiple of a plain run's; all have run before."""
    base = fresh_run("plain")["run"]
    seconds = {tool: ui.seconds(tool, MONTH, HOME) for tool in TOOLS if tool != "plain"}
    return {tool: {"seconds": spent, "over_plain": spent / base} for tool, spent in seconds.items()}
