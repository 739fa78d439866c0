"""The tables that `make bench` prints."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.runs import MONTH
from bench.wide.driver import LIMIT


def show(results: dict[str, Any]) -> None:
    """Print what has been measured, a table for each part."""
    console = Console(width=110)
    for facts in (results["measured"]["machine"], results["measured"]["software"]):
        console.print(" ".join(f"{name} {value}" for name, value in facts.items()))
    for part, table in TABLES.items():
        if part in results:
            console.print(table(results[part]))


def table(title: str, columns: Iterable[object], rows: Iterable[tuple[object, ...]]) -> Table:
    made = Table("", *map(str, columns), title=title)
    for row in rows:
        made.add_row(*map(str, row))
    return made


def runs(found: dict[str, Any]) -> Table:
    columns = ("seconds", "in stages", "floor", "seconds / (plain + floor)", "peak MB")
    rows = [
        (
            tool,
            *(f"{run[name]:.1f}" for name in ("seconds", "stages", "floor")),
            "-" if tool == "plain" else f"{run['ratio']:.2f}",
            f"{run['memory_mb']:.0f}",
        )
        for tool, run in found.items()
    ]
    return table(f"One run of {MONTH}, warm", columns, rows)


def in_ui(found: dict[str, Any]) -> Table:
    rows = [(tool, f"{run['seconds']:.1f}", f"{run['over_plain']:.1f}") for tool, run in found.items()]
    return table(f"{MONTH} again, started in each tool's web UI", ("seconds", "times the plain run"), rows)


def imports(found: dict[str, float]) -> Table:
    return table(
        "Seconds to import a tool and exit", ("seconds",), [(tool, f"{each:.2f}") for tool, each in found.items()]
    )


def startup(found: dict[str, Any]) -> Table:
    rows = [
        (name, f"{each['with']:.1f}", f"{each['without']:.1f}", f"{each['ratio']:.2f}") for name, each in found.items()
    ]
    return table("CPU seconds to load the pipeline and exit", ("with it", "without", "ratio"), rows)


def traces(found: dict[str, Any]) -> Table:
    cases = ("collector", "refuses", "hangs")
    rows = [
        (tool, f"{each['off']:.1f}", *(f"{each[case] / each['off']:.2f}" for case in cases))
        for tool, each in found.items()
    ]
    return table("Runs with traces: median seconds, and times those without", ("off", *cases), rows)


def fan_out(mode: str, found: dict[str, Any]) -> Table:
    rows = [
        (
            f"{row} {each['version']}",
            f"{each['up']:.1f}",
            told(each["first_task"], 1),
            *(told(seconds, 3) for seconds in each["per_task"].values()),
            told(growth(each["per_task"]), 2),
            f"{each['memory_mb']:.0f}",
        )
        for row, each in found.items()
    ]
    widths = dict.fromkeys(f"{int(width):,}" for each in found.values() for width in each["per_task"])
    columns = ("s until up", "to first task", *widths, "1,000 / 100", "peak MB")
    title = f"Seconds per task of runs with so many no-op tasks, {mode}\n-: not within {LIMIT} s for all runs of a row"
    return table(title, columns, rows)


def told(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def growth(per_task: dict[str, float | None]) -> float | None:
    """What a task costs in the widest fan-out, as a multiple of that in one of a hundred."""
    few, many = per_task.get("100"), per_task.get("1000")
    return many / few if few and many else None


def two_cores(found: dict[str, Any]) -> Table:
    rows = [
        (row, *(f"{each[name]:.1f}" for name in ("one", "two")), f"{each['ratio']:.2f}") for row, each in found.items()
    ]
    return table("Seconds of a live run with nine fits", ("one at a time", "two at once", "speed-up"), rows)


def hand_over(found: dict[str, Any]) -> Table:
    rows = [
        (
            way,
            *(f"{each[name] / 1e6:.1f}" for name in ("bytes_written", "bytes_fetched")),
            *(f"{each[name]:.1f}" for name in ("write", "first_read", "later_read")),
        )
        for way, each in found.items()
    ]
    columns = ("MB written", "MB fetched", "ms to write", "ms to read first", "ms to read again")
    return table("The features' file from one stage to the next", columns, rows)


def year(found: dict[str, float]) -> str:
    return "load and features of the year: {rows} rows, {load:.2f} s + {features:.2f} s = {total:.2f} s".format(**found)


def rows(found: dict[str, Any]) -> Table:
    lines = []
    for tool, measured in found.items():
        (one,) = (run for run in measured if run["times"] == 1)
        for run in measured:
            seconds, memory = run["run"] / one["run"], run["memory_mb"] / one["memory_mb"]
            told = (f"{run['run']:.1f}", f"{seconds:.1f}", f"{run['memory_mb']:.0f}", f"{memory:.1f}")
            lines.append((f"{tool} ×{run['times']}", f"{run['rows']:,}", *told))
    return table("A run with fewer and more rows", ("rows", "seconds in the run", "times", "peak MB", "times"), lines)


TABLES = {
    "tools": runs,
    "rows": rows,
    "year": year,
    "imports": imports,
    "startup": startup,
    "ui": in_ui,
    "traces": traces,
    "fan_out_in_process": partial(fan_out, "in one process"),
    "fan_out_live": partial(fan_out, "live on one machine"),
    "fan_out_distributed": partial(fan_out, "distributed, with two workers"),
    "two_cores": two_cores,
    "hand_over": hand_over,
}
