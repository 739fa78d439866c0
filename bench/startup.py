"""Seconds to import a tool, and to load the pipeline with and without each function of shared/runtime/startup.py."""

import os
import statistics
import subprocess
import time
from pathlib import Path

from shared.runtime.records import TOOLS
from shared.settings import ROOT
from tools.demo import python_of

REPEATS = 2
PIPELINE = "import shared.plain"
LIBRARIES = "mlflow.sklearn, pandera.polars, fastapi_offline"
# What is measured, with the function and without it.
PROGRAMS = {
    "collect_garbage_seldom": (PIPELINE, f"import gc, shared; gc.set_threshold(700); {PIPELINE}"),
    "let_skops_find_scipy": (PIPELINE, f"import {LIBRARIES}, skops.io; {PIPELINE}"),
    "skip_last_collection": (
        f"from shared.runtime import startup; startup.skip_last_collection(); {PIPELINE}",
        PIPELINE,
    ),
}
# The plain run imports no tool: Python alone. The two packages hold the tools' settings.
IMPORTS = {
    "plain": "pass",
    "airflow": "import airflow_impl; from airflow.sdk import dag, task",
    "prefect": "import prefect_impl; from prefect import flow, task",
    "dagster": "import dagster",
}


def imports(home: Path) -> dict[str, float]:
    """By tool the median seconds of a process that imports it and does nothing, after one that warms up."""
    return {tool: statistics.median([seconds(tool, home) for _ in range(REPEATS + 1)][1:]) for tool in TOOLS}


def seconds(tool: str, home: Path) -> float:
    began = time.perf_counter()
    env = {**os.environ, "TRIPTYCH_HOME": str(home)}
    subprocess.run([python_of(tool), "-c", IMPORTS[tool]], cwd=ROOT, env=env, check=True)
    return time.perf_counter() - began


def measure(python: Path) -> dict[str, dict[str, float]]:
    """The medians of CPU seconds for each function; the two programs take turns, after one run that warms up."""
    results = {}
    for name, programs in PROGRAMS.items():
        pairs = [[cpu_seconds(python, program) for program in programs] for _ in range(REPEATS + 1)][1:]
        with_it, without = (statistics.median(column) for column in zip(*pairs, strict=True))
        results[name] = {"with": with_it, "without": without, "ratio": with_it / without}
    return results


def cpu_seconds(python: Path, program: str) -> float:
    process = subprocess.Popen([python, "-c", program], cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{program} failed with status {status}")
    return usage.ru_utime + usage.ru_stime
