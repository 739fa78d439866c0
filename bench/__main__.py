"""Benchmarks: `make bench` prints tables and writes docs/bench.json; what is compared is measured in one run."""

import argparse
import json
import os
import platform
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from bench import fan_out, hand_over, rows, runs, startup, traces
from bench.machine import machine
from bench.runs import HOME
from bench.show import show
from shared.settings import ROOT
from tools.demo import python_of

KEPT = ROOT / "docs" / "bench.json"
PARTS = {
    "runs": ("tools", "versions", "rows", "ui"),
    "start-up": ("imports", "startup"),
    "traces": ("traces",),
    "fan-out": ("fan_out",),
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
        "fan_out": lambda: fan_out.seconds(HOME),
        "hand_over": lambda: hand_over.measure(HOME / "hand-over"),
    }


def main() -> None:
    """Measure all parts, and keep them for the page; one part alone is only printed."""
    results: dict[str, Any] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "software": software(),
        "fan_out_repeats": {"times": fan_out.REPEATS, "up_to": fan_out.FEW},
    }
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--part", choices=PARTS)
    part = parser.parse_args().part
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    for name, measure in parts(results).items():
        if not part or name in PARTS[part]:
            print(f"measuring {name} …", flush=True)
            results[name] = measure()
    if not part:
        KEPT.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    show(results)


def software() -> dict[str, object]:
    """The versions of Python and packages, and how busy the machine was before."""
    versions = {package: metadata.version(package) for package in PACKAGES}
    return {"python": platform.python_version(), "load": os.getloadavg()[0], **versions}


if __name__ == "__main__":
    main()
