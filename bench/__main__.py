"""Benchmarks: `make bench` prints tables and writes docs/bench.json; what is compared is measured in one part."""

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
    "runs": ("tools", "versions", "imports", "rows", "ui"),
    "start-up": ("startup",),
    "traces": ("traces",),
    "fan-out": tuple(f"fan_out_in_process/{row}" for row in fan_out.MODES["in_process"]),
    **{f"fan-out-{mode}-{row}": (f"fan_out_{mode}/{row}",) for mode, row in fan_out.SERVED},
    "two-cores": ("two_cores",),
    "hand-over": ("hand_over",),
    "year": ("year",),
}
"""What `make bench PART=…` measures, each in less than a quarter of an hour."""
REPEATS = {"fan_out_repeats": {"times": driver.REPEATS, "up_to": driver.FEW, "limit_seconds": driver.LIMIT}}
PACKAGES = ("scikit-learn", "polars", "mlflow", "skops", "pandera")


def parts(results: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """How each is measured; the rows are compared with the tools' runs in `results`."""
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
        "two_cores": fan_out.two_cores,
        "hand_over": lambda: hand_over.measure(HOME / "hand-over"),
    }


def main() -> None:
    """Measure all parts, each kept for the page as soon as it is whole; one part alone is kept only if asked."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--keep", action="store_true", help="keep this part for the page, too")
    asked = parser.parse_args()
    for part in [asked.part] if asked.part else PARTS:
        found = measure(part)
        if asked.keep or not asked.part:
            keep(part, found)
        show(found)


def measure(part: str) -> dict[str, Any]:
    """What the part measures, by name, and when, where and with what: `measured`."""
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    results: dict[str, Any] = {
        "measured": {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "software": software()}
    }
    measures = parts(results)
    for name in PARTS[part]:
        print(f"measuring {name} …", flush=True)
        group, _, row = name.partition("/")
        found = measures[name]()
        results[group] = {**results.get(group, {}), row: found} if row else found
    return results


def keep(part: str, found: dict[str, Any]) -> None:
    """In docs/bench.json, in place of what this part had there; of a group, such as `fan_out_live`, only its rows."""
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    measured = {**kept.get("measured", {}), part: found["measured"]}
    groups = {name.partition("/")[0] for name in PARTS[part] if "/" in name}
    rows = {group: {**kept.get(group, {}), **found[group]} for group in groups}
    KEPT.write_text(json.dumps({**kept, **found, **rows, "measured": measured, **REPEATS}, indent=1) + "\n", "utf-8")


def software() -> dict[str, object]:
    """The versions of Python and packages, and how busy the machine was before."""
    versions = {package: metadata.version(package) for package in PACKAGES}
    return {"python": platform.python_version(), "load": os.getloadavg()[0], **versions}


if __name__ == "__main__":
    main()
