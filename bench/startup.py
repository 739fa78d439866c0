"""CPU seconds to load the pipeline and exit, with and without each function of shared/runtime/startup.py."""

import os
import statistics
import subprocess
from pathlib import Path

from shared.settings import ROOT

REPEATS = 5
PIPELINE = "import shared.plain"
LIBRARIES = "import mlflow.sklearn, pandera.polars, fastapi_offline"
# What is measured, with the function and without it.
PROGRAMS = {
    "collect_garbage_seldom": (PIPELINE, f"import gc, shared; gc.set_threshold(700); {PIPELINE}"),
    "load_skops_first": (
        f"import shared, skops.io; {LIBRARIES}; {PIPELINE}",
        f"import shared; {LIBRARIES}; {PIPELINE}",
    ),
    "skip_last_collection": (
        f"from shared.runtime import startup; startup.skip_last_collection(); {PIPELINE}",
        PIPELINE,
    ),
}


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
