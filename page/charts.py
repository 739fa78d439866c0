"""The charts of what an orchestrator costs, as SVG in the page's colours: Altair draws what `make bench` has kept."""

from dataclasses import dataclass
from typing import Any

from bench.machine import machine
from page import kept
from page.colours import ACCENTS
from page.drawing import bar, bars, lines, point

Bench = dict[str, Any]
ORCHESTRATORS = [tool for tool in ACCENTS if tool != "plain"]


@dataclass(frozen=True)
class Chart:
    """A picture; the text says what it shows, how that was measured, with which versions, when and where."""

    id: str
    title: str
    text: str
    svg: str


def charts() -> list[Chart]:
    """Raises ValueError if docs/bench.json lacks a tool or a part."""
    bench = kept.bench()
    return [draw(bench) for draw in (fan_out, start_up, memory, growth)]


def fan_out(bench: Bench) -> Chart:
    few, repeats = (part(bench, "fan_out_repeats", name) for name in ("up_to", "times"))
    text = (
        "A run has six tasks one after the other, the last of which makes a list of numbers; each number is handed to "
        "a task that returns it, and one more task adds them up. Shown are its seconds, by the tool's own record, "
        "divided by its tasks, so that a narrow run bears the cost of the run itself. Airflow runs it by `dag.test()`, "
        "one task after the other in one process; Prefect in as many threads as there are cores, with its server "
        "beside it; Dagster by `execute_in_process`, one step after the other. All three keep their records in SQLite, "
        "while Dagster's run in D8 keeps its record in memory. "
        f"Up to a width of {few} each point is the median of {repeats} runs, beyond that one run."
    )
    rows = [
        point(tool, int(width), seconds, f"{int(width):,} wide: {seconds:.3g} s per task")
        for tool in ORCHESTRATORS
        for width, seconds in part(bench, "fan_out_in_process", tool)["per_task"].items()
    ]
    versions = {tool: part(bench, "fan_out_in_process", tool)["version"] for tool in ORCHESTRATORS}
    svg = lines(rows, "tasks in the fan-out", "seconds per task")
    return Chart("fan-out", "What a task costs that does nothing", with_source(text, bench, "fan-out", versions), svg)


def start_up(bench: Bench) -> Chart:
    text = (
        "Above the seconds of a process that imports the tool and ends (plain: Python alone); below those from the "
        "start of the run command until its first stage begins, with the libraries of the pipeline loaded, a database "
        "at hand and, for Prefect, its server started. Medians of runs after one that warms up."
    )
    rows = [bar(tool, part(bench, "imports", tool), "s", "its import") for tool in ACCENTS]
    rows += [bar(tool, part(bench, "tools", tool)["first_stage"], "s", "until the first stage") for tool in ACCENTS]
    return Chart("start-up", "Start-up", with_source(text, bench, "runs", of_all(bench)), bars(rows, "seconds"))


def memory(bench: Bench) -> Chart:
    text = (
        "The most memory that all processes of a run of one month had together, Prefect's server included, in MB "
        "(PSS: what processes share counts once), looked at twice a second. Medians of runs after one that warms up."
    )
    svg = bars([bar(tool, part(bench, "tools", tool)["memory_mb"], "MB") for tool in ACCENTS], "MB")
    return Chart("memory", "Memory of a run", with_source(text, bench, "runs", of_all(bench)), svg)


def growth(bench: Bench) -> Chart:
    text = (
        "Runs of one month with a part of its flights, with all of them and, in plain Python, with each of them "
        "several times; shown are the seconds between the run's start and its end, without start-up. "
        "The runs with all flights are medians, the others single runs."
    )
    rows = [
        point(tool, run["rows"], run["run"], f"{run['rows']:,} flights: {run['run']:.3g} s")
        for tool in ACCENTS
        for run in part(bench, "rows", tool)
    ]
    svg = lines(rows, "flights that the run reads", "seconds")
    return Chart("rows", "How a run grows with its rows", with_source(text, bench, "runs", of_all(bench)), svg)


def part(bench: Bench, name: str, tool: str) -> Any:
    try:
        return bench[name][tool]
    except KeyError:
        raise ValueError(
            f"docs/bench.json has no {name} of {tool}, expected what make bench writes today; run make bench"
        ) from None


def of_all(bench: Bench) -> dict[str, str]:
    return {tool: part(bench, "versions", tool) for tool in ACCENTS}


def with_source(text: str, bench: Bench, name: str, versions: Bench) -> str:
    """The text, and with which versions, when and where this part was measured; first if that was elsewhere."""
    measured = part(bench, "measured", name)
    where, tools = measured["machine"], [f"{tool.capitalize()} {version}" for tool, version in versions.items()]
    source = (
        f"Measured on {measured['date']} with {', '.join(tools)}, on {where['cpu']}, {where['cores']} cores, "
        f"{where['memory_gb']} GB, {where['system']}."
    )
    elsewhere = "" if where["id"] == machine()["id"] else "Not measured on the machine that wrote this page. "
    return f"{elsewhere}{text} {source}"
