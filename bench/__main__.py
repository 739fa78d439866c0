"""Benchmarks: `make bench` prints tables and writes docs/bench.json; what is compared is measured in one run."""

import argparse
import json
import os
import platform
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from typing import Any

from bench import fan_out, hand_over, rows, runs, startup, traces
from bench.machine import machine
from bench.runs import HOME
from bench.show import show
from bench.wide import driver
from shared.settings import ROOT
from tools.demo import python_of

KEPT = ROOT / "docs" / "bench.json"
PARTS = {
    "runs": ("tools", "versions", "rows", "ui"),
    "start-up": ("imports", "startup"),
    "traces": ("traces",),
    "fan-out": (*(f"fan_out_in_process/{row}" for row in fan_out.MODES["in_process"]), "fan_out"),
    **{f"fan-out-{mode}-{row}": (f"fan_out_{mode}/{row}",) for mode, row in fan_out.SERVED},
    "two-cores": ("two_cores",),
    "hand-over": ("hand_over",),
    "year": ("year",),
}
"""What `make bench PART=…` measures, each in less than a quarter of an hour."""
PACKAGES = ("scikit-learn", "polars", "mlflow", "skops", "pandera")


def parts(results: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """What is measured, in this order: the tools' runs come first, as the others are compared with them."""
    return {
        "tools": runs.tools,
        "versions": runs.versions,
        "rows": lambda: rows.rows(results["tools"]),
        "year": rows.year,
        "imports": lambda: startup.imports(HOME),
        "startup": lambda: startup.measure(python_of("plain")),
        "ui": runs.in_ui,
        "traces": lambda: traces.seconds(lambda tool, env: runs.fresh_run(tool, env=env)["seconds"]),
        **{f"fan_out_{mode}/{row}": partial(fan_out.measure, mode, row) for mode, row in fan_out.ALL},
        "fan_out": lambda: fan_out.per_task(results["fan_out_in_process"]),
        "two_cores": fan_out.two_cores,
        "hand_over": lambda: hand_over.measure(HOME / "hand-over"),
    }


def main() -> None:
    """Measure all parts, and keep them for the page; one part alone is only printed."""
    results: dict[str, Any] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "software": software(),
        "fan_out_repeats": {"times": driver.REPEATS, "up_to": driver.FEW, "limit_seconds": driver.LIMIT},
    }
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--part", choices=PARTS)
    part = parser.parse_args().part
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    for name, measure in parts(results).items():
        if not part or name in PARTS[part]:
            print(f"measuring {name} …", flush=True)
            keep(name, measure(), results)
    if not part:
        KEPT.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    show(results)


def keep(name: str, found: Any, results: dict[str, Any]) -> None:
    """Under its name, or if that is `group/row`, as a row of the group."""
    group, _, row = name.partition("/")
    results[group] = {**results.get(group, {}), row: found} if row else found


def software() -> dict[str, object]:
    """The versions of Python and packages, and how busy the machine was before."""
    versions = {package: metadata.version(package) for package in PACKAGES}
    return {"python": platform.python_version(), "load": os.getloadavg()[0], **versions}


if __name__ == "__main__":
    main()
