"""The tables that `make bench` prints."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.runs import MONTH


def show(results: dict[str, Any]) -> None:
    """Print what has been measured, a table for each part."""
    console = Console(width=110)
    for facts in (results["machine"], results["software"]):
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


def fan_out(found: dict[str, Any]) -> Table:
    rows = [(tool, *(f"{seconds:.3f}" for seconds in widths.values())) for tool, widths in found.items()]
    widths = [width for each in found.values() for width in each]
    return table("Seconds per task in fan-outs of no-op tasks", dict.fromkeys(widths), rows)


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
    "fan_out": fan_out,
    "hand_over": hand_over,
}
