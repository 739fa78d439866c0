"""Benchmarks: `make bench` prints tables and writes JSON; what is compared is measured in one run."""

import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import polars as pl
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from rich.console import Console
from rich.table import Table

from bench import startup, ui
from shared.lib import tables
from shared.lib.source import LOOKUPS, default_source
from shared.runtime import records
from shared.runtime.records import TOOLS
from shared.settings import ROOT, Settings
from shared.stages import features
from tools.demo import python_of, wall

HOME = ROOT / ".local" / "bench"
MONTH = "2013-06"
REPEATS = 3
FACTORS = (1, 4, 16)


def main() -> None:
    shutil.rmtree(HOME, ignore_errors=True)
    results = {
        "machine": machine(),
        "year": year(),
        "tools": tools(),
        "rows": rows(),
        "ui": ui_runs(),
        "startup": startup.measure(python_of("plain")),
    }
    (HOME / "bench.json").write_text(json.dumps(results, indent=1) + "\n")
    show(results)
    print(f"written to {(HOME / 'bench.json').relative_to(ROOT)}")


def machine() -> dict[str, object]:
    packages = ("scikit-learn", "polars", "mlflow", "skops", "pandera")
    versions = {package: metadata.version(package) for package in packages}
    return {"python": platform.python_version(), "cores": os.cpu_count(), "load": os.getloadavg()[0], **versions}


def measure(python: Path, *arguments: str) -> tuple[float, float]:
    """Run a Python module to its end; returns wall seconds and peak memory of its largest process in MB."""
    log = (HOME / "log.txt").open("wb")
    began = time.perf_counter()
    env = {**os.environ, "TRIPTYCH_HOME": str(HOME)}
    process = subprocess.Popen([python, "-m", *arguments], cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"{' '.join(arguments)} failed; see {log.name}")
    return seconds, usage.ru_maxrss / 1024


def tools() -> dict[str, dict[str, float]]:
    """For each tool the medians of a run of one month and of its floor: as many no-op tasks in the same mode."""
    results: dict[str, dict[str, float]] = {}
    for tool in TOOLS:
        module = "shared.plain" if tool == "plain" else f"{tool}_impl.run"
        runs = [fresh_run(tool, module) for _ in range(REPEATS + 1)][1:]  # the first one warms up
        floors = (
            [measure(python_of(tool), f"bench.floor_{tool}")[0] for _ in range(REPEATS + 1)][1:]
            if tool != "plain"
            else [0.0]
        )
        seconds, stages, memory = (statistics.median(column) for column in zip(*runs, strict=True))
        floor = statistics.median(floors)
        base = results["plain"]["seconds"] if results else seconds
        results[tool] = {
            "seconds": seconds,
            "stages": stages,
            "floor": floor,
            "ratio": seconds / (base + floor),
            "memory_mb": memory,
        }
    return results


def fresh_run(tool: str, module: str) -> tuple[float, float, float]:
    """One run from an empty store and registry: wall seconds, seconds in stages, peak memory in MB."""
    settings = Settings(tool=tool, home=HOME)
    shutil.rmtree(settings.store, ignore_errors=True)
    with contextlib.suppress(MlflowException):  # at the first run there is none
        MlflowClient(settings.tracking_uri).delete_registered_model(settings.model_name)
    seconds, memory = measure(python_of(tool), module, MONTH)
    record = records.read(tool, MONTH, HOME)
    spent = [stage.ended - stage.started for stage in record.stages if stage.started and stage.ended]
    return seconds, sum(stage.total_seconds() for stage in spent), memory


def ui_runs() -> dict[str, dict[str, float]]:
    """Seconds of a run that each tool's UI starts, and as a multiple of a plain run's.

    The faster of two: the first one warms up.
    """
    fresh_run("plain", "shared.plain")
    base = wall(records.read("plain", MONTH, HOME))
    seconds = {tool: min(ui.seconds(tool, MONTH, HOME) for _ in range(2)) for tool in TOOLS if tool != "plain"}
    return {tool: {"seconds": spent, "over_plain": spent / base} for tool, spent in seconds.items()}


def year() -> dict[str, float]:
    """Seconds to load and join the whole year's flights."""
    source = default_source()
    began = time.perf_counter()
    frames = {
        name: pl.concat([tables.read(path, name) for path in sorted((source / name).iterdir())])
        for name in ("flights", "weather")
    }
    loaded = time.perf_counter()
    lookups = {name: tables.read(source / name, tables.table_of(name)) for name in LOOKUPS}
    joined = features.join(frames["flights"], frames["weather"], lookups["planes.csv"], lookups["airports.csv"])
    ended = time.perf_counter()
    return {"rows": joined.height, "load": loaded - began, "features": ended - loaded, "total": ended - began}


def rows() -> dict[int, dict[str, float]]:
    """A plain run on the flights of one month and its window, each flight 1, 4 and 16 times."""
    results: dict[int, dict[str, float]] = {}
    for factor in FACTORS:
        source = replicate(factor, HOME / f"source-{factor}")
        shutil.rmtree(HOME / "store" / "plain", ignore_errors=True)
        seconds, memory = measure(python_of("plain"), "shared.plain", MONTH, "--source", str(source))
        record = records.read("plain", MONTH, HOME)
        results[factor] = {"seconds": seconds, "run": wall(record), "memory_mb": memory}
        shutil.rmtree(source)
    return results


def replicate(factor: int, folder: Path) -> Path:
    """A source with each flight `factor` times, under other flight numbers."""
    shutil.copytree(default_source(), folder)
    for path in (folder / "flights").iterdir():
        flights = tables.read_text(path)
        copies = [flights.with_columns(pl.col("flight").cast(int) + 10_000 * copy) for copy in range(factor)]
        pl.concat(copies).write_csv(path, null_value="NA")
    return folder


def show(results: dict) -> None:
    console = Console(width=110)
    console.print(" ".join(f"{name} {value}" for name, value in results["machine"].items()))
    table = Table(
        "", "seconds", "in stages", "floor", "seconds / (plain + floor)", "peak MB", title=f"One run of {MONTH}, warm"
    )
    for tool, measured in results["tools"].items():
        ratio = "-" if tool == "plain" else f"{measured['ratio']:.2f}"
        table.add_row(
            tool,
            f"{measured['seconds']:.1f}",
            f"{measured['stages']:.1f}",
            f"{measured['floor']:.1f}",
            ratio,
            f"{measured['memory_mb']:.0f}",
        )
    console.print(table)
    table = Table("", "seconds", "times the plain run", title=f"{MONTH} again, started in each tool's web UI")
    for tool, measured in results["ui"].items():
        table.add_row(tool, f"{measured['seconds']:.1f}", f"{measured['over_plain']:.1f}")
    console.print(table)
    table = Table("", "with it", "without", "ratio", title="CPU seconds to load the pipeline and exit")
    for name, seconds in results["startup"].items():
        table.add_row(name, f"{seconds['with']:.1f}", f"{seconds['without']:.1f}", f"{seconds['ratio']:.2f}")
    console.print(table)
    measured = results["year"]
    print(
        f"load and features of the year: {measured['rows']} rows, "
        f"{measured['load']:.2f} s + {measured['features']:.2f} s = {measured['total']:.2f} s\n"
    )
    table = Table("rows", "seconds in the run", "times", "peak MB", "times", title="A plain run with more rows")
    one = results["rows"][1]
    for factor, measured in results["rows"].items():
        times = (f"{measured['run'] / one['run']:.1f}", f"{measured['memory_mb'] / one['memory_mb']:.1f}")
        table.add_row(f"×{factor}", f"{measured['run']:.1f}", times[0], f"{measured['memory_mb']:.0f}", times[1])
    console.print(table)


if __name__ == "__main__":
    main()
