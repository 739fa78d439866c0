"""Writes the tables of docs/scale.md from docs/bench.json and D8; with --check, exits 1 if they are out of date."""

import json
import math
import sys
from typing import Any

from shared.settings import ROOT
from tools.readme import fill
from tools.scenarios import TOOLS, kept
from tools.scenarios_page import table_of

BENCH, PAGE = ROOT / "docs" / "bench.json", ROOT / "docs" / "scale.md"
CANDIDATES, PIPELINES, NIGHT_HOURS = 10_000, 100, 8
EACH = CANDIDATES // PIPELINES
FIXED = 6
"""The stages beside `train`, each one task."""
TRAINED = 9
"""The candidates of the run that `make bench` measures."""
SLOW = 60
"""Seconds that a candidate takes that is larger than this repo's: an assumption."""
WIDTH, D8_WIDTH = 1000, 1100


def main() -> None:
    old = PAGE.read_text("utf-8")
    bench = json.loads(BENCH.read_text("utf-8"))
    new = fill(fill(old, "overhead", overhead(bench, kept())), "training", training(bench))
    for name, table in (("engines", engines), ("cores", cores), ("hand-over", hand_over)):
        new = fill(new, name, table(bench))
    if "--check" not in sys.argv:
        PAGE.write_text(new, "utf-8")
    elif old != new:
        sys.exit("scale.md is out of date with docs/bench.json or docs/evidence.json; run make format")


def overhead(bench: dict[str, Any], evidence: dict[str, Any]) -> str:
    """By tool the hours of its own work, from its seconds for a task that does nothing."""
    columns = [["", "---", *labels()], *(column(bench, evidence, tool) for tool in TOOLS)]
    return table_of([list(row) for row in zip(*columns, strict=True)])


def labels() -> list[str]:
    return [
        f"Seconds a task, {WIDTH:,} wide",
        f"Seconds a task in D8, {D8_WIDTH:,} wide",
        f"Tasks a second that one process gets done, {WIDTH:,} wide",
        f"One fan-out of {CANDIDATES:,}, and {FIXED} tasks",
        f"{PIPELINES} pipelines of {EACH}, and {FIXED} tasks each",
        f"The starts of {PIPELINES} processes, beyond plain Python's",
        f"Processes for {NIGHT_HOURS} hours, the longer of the two",
    ]


def column(bench: dict[str, Any], evidence: dict[str, Any], tool: str) -> list[str]:
    wide = figure(bench, "fan_out_in_process", tool, "per_task", str(WIDTH))
    version = "idiom" if "idiom" in evidence.get("D8", {}).get(tool, {}) else "obvious"
    d8 = figure(evidence, "D8", tool, version, "facts", "seconds") / (D8_WIDTH + 2)
    one, (many, starts) = wide * (CANDIDATES + FIXED), pipelines(bench, tool)
    seconds = [f"{wide:.3f}", f"{d8:.3f}", f"{1 / wide:.1f}"]
    return [tool.capitalize(), "---", *seconds, *map(hours, (one, many, starts)), processes(max(one, many + starts))]


def training(bench: dict[str, Any]) -> str:
    """What the training takes beside it, and the tools' own work as a share of both."""
    measured = figure(bench, "tools", "plain", "stages") / TRAINED
    head = ["Seconds a candidate", "Training", f"At once, for {NIGHT_HOURS} hours"]
    rows = [[*head, *(f"{tool.capitalize()}'s share" for tool in TOOLS)], ["---"] * (len(head) + len(TOOLS))]
    for label, seconds in ((f"at most {measured:.2f}, measured", measured), (f"{SLOW}, assumed", SLOW)):
        total = seconds * CANDIDATES
        own = [sum(pipelines(bench, tool)) for tool in TOOLS]
        rows.append([label, hours(total), processes(total), *(f"{each / (each + total):.1%}" for each in own)])
    return table_of(rows)


def pipelines(bench: dict[str, Any], tool: str) -> tuple[float, float]:
    """Seconds of all their tasks, and of their starts beyond plain Python's, which loads the same libraries."""
    tasks = PIPELINES * (EACH + FIXED) * figure(bench, "fan_out_in_process", tool, "per_task", str(EACH))
    first, plain = (figure(bench, "tools", name, "first_stage") for name in (tool, "plain"))
    return tasks, PIPELINES * (first - plain)


def engines(bench: dict[str, Any]) -> str:
    """What a task costs in one process, and where servers and workers run it: a row for each that was measured."""
    head = ["", f"Seconds a task, {EACH} wide", f"{WIDTH:,} wide", "Ratio", f"{CANDIDATES:,} tasks", "Peak MB"]
    found = [
        (f"{row.capitalize()} {each['version']}, {mode.replace('_', ' ')}", each)
        for mode in ("in_process", "live", "distributed")
        for tool in TOOLS
        for row, each in bench.get(f"fan_out_{mode}", {}).items()
        if row.startswith(tool)
    ]
    return table_if_measured([head, *([label, *costs(each, bench)] for label, each in found)])


def costs(engine: dict[str, Any], bench: dict[str, Any]) -> list[str]:
    narrow, wide = (engine["per_task"][str(width)] for width in (EACH, WIDTH))
    late = f"not within {bench['fan_out_repeats']['limit_seconds'] / 60:.0f} min"
    seconds = [f"{each:.3f}" if each else late for each in (narrow, wide)]
    growth = f"{wide / narrow:.2f}" if narrow and wide else "–"
    return [*seconds, growth, hours(wide * (CANDIDATES + FIXED)) if wide else "–", f"{engine['memory_mb']:.0f}"]


def cores(bench: dict[str, Any]) -> str:
    """How much sooner nine fits end that are two at once, a row for each tool."""
    head = ["", "One at a time", "Two at once", "Speed-up"]
    found = bench.get("two_cores", {})
    rows = [
        [row.capitalize(), f"{each['one']:.1f} s", f"{each['two']:.1f} s", f"{each['ratio']:.2f}"]
        for row, each in found.items()
    ]
    return table_if_measured([head, *rows])


def hand_over(bench: dict[str, Any]) -> str:
    """What it takes to hand the features' file from a stage to the next, a row for each kind of store."""
    head = ["", "Written", "Fetched", "To write", "To read first", "To read again"]
    found = bench.get("hand_over", {})
    rows = [
        [
            way.capitalize(),
            *(f"{each[name] / 1e6:.1f} MB" for name in ("bytes_written", "bytes_fetched")),
            *(f"{each[name]:.1f} ms" for name in ("write", "first_read", "later_read")),
        ]
        for way, each in found.items()
    ]
    return table_if_measured([head, *rows])


def table_if_measured(rows: list[list[str]]) -> str:
    """A table of a head and rows, if there are any."""
    head, *others = rows
    return table_of([head, ["---"] * len(head), *others]) if others else "Not measured yet.\n"


def figure(found: Any, *names: str) -> float:
    for name in names:
        if name not in found:
            sys.exit(f"scale.md needs {'.'.join(names)}, which was not measured; run make bench, or for D8 make test")
        found = found[name]
    return float(found)


def hours(seconds: float) -> str:
    return f"{seconds / 3600:.2f} h" if seconds < 36_000 else f"{seconds / 3600:.0f} h"


def processes(seconds: float) -> str:
    return str(math.ceil(seconds / 3600 / NIGHT_HOURS))


if __name__ == "__main__":
    main()
