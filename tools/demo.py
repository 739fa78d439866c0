"""The demo: two months in plain Python and in the three orchestrators, and one table that compares them.

Its home is `.local/demo`: the data, models and records of a former demo are removed first, what the tools know of
their runs stays. Exits 1 if any two records disagree.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from shared.runtime import records, servers
from shared.runtime.records import TOOLS, RunRecord
from shared.settings import ROOT

MONTHS = ("2013-06", "2013-12")  # the first is promoted, the second is not
HOME = ROOT / ".local" / "demo"
COLUMNS = (
    "",
    "version",
    "state",
    "stages",
    "candidates",
    "attempts",
    "decision",
    "champion",
    "seconds",
    "over plain",
)


def main() -> None:
    interrupt.while_waiting()
    for folder in ("store", "mlflow", "records"):
        shutil.rmtree(HOME / folder, ignore_errors=True)
    seconds = {tool: run(tool) for tool in TOOLS}
    problems = disagreements()
    Console(width=max(110, Console().width)).print(comparison())
    for problem in problems:
        print(f"DISAGREE {problem}")
    if problems:
        sys.exit(1)
    print(f"Seconds in all, start-up included: {', '.join(f'{tool} {spent:.1f}' for tool, spent in seconds.items())}.")
    print("All four agree to the bit. To see the runs in the tools' own pages:")
    print(f"  TRIPTYCH_HOME={HOME.relative_to(ROOT)} make airflow-ui   (or prefect-ui, dagster-ui, mlflow-ui)")
    write_page()


def python_of(tool: str) -> Path:
    """The interpreter of the tool's environment; the plain run has none of its own and borrows Dagster's."""
    return ROOT / ".local" / "env" / ("dagster" if tool == "plain" else tool) / "bin" / "python"


def run(tool: str) -> float:
    """Run both months with the tool, its output passed on; returns the wall seconds, start-up included."""
    print(f"\n=== {tool}: {' and '.join(MONTHS)} ===", flush=True)
    module = "shared.plain" if tool == "plain" else f"{tool}_impl.run"
    began = time.perf_counter()
    process = None
    try:
        with interrupt.held():
            process = servers.guarded([str(python_of(tool)), "-m", module, *MONTHS], {"TRIPTYCH_HOME": str(HOME)})
        process.wait()
    except KeyboardInterrupt:
        if process:
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
        raise
    return time.perf_counter() - began


def read(tool: str, month: str) -> RunRecord | None:
    try:
        return records.read(tool, month, HOME)
    except FileNotFoundError:
        return None


def disagreements() -> list[str]:
    """What is wrong: records that are missing, failed, or differ from the plain run's."""
    problems = []
    for month in MONTHS:
        plain = read("plain", month)
        for tool in TOOLS:
            record = read(tool, month)
            if record is None or plain is None:
                problems.append(f"{month} {tool}: no record was written")
            elif record.state == "failed":
                problems.append(f"{month} {tool}: the run failed: {record.error}")
            else:
                problems += [f"{month} {difference}" for difference in records.differences(plain, record)]
    return problems


def write_page() -> None:
    """Write the comparison page, which prints its path; the demo has succeeded even if that fails."""
    if subprocess.run([sys.executable, "-m", "page"], cwd=ROOT, check=False).returncode:
        print("The comparison page could not be written, for the reason above; run make page to try again.")


def comparison() -> Table:
    table = Table(
        title="One pipeline, three orchestrators, the same champion to the bit",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for column in COLUMNS:
        table.add_column(column, no_wrap=True, justify="right" if column in COLUMNS[-2:] else "left")
    for month in MONTHS:
        table.add_row(f"[bold]{month}")
        plain = read("plain", month)
        for tool in TOOLS:
            record = read(tool, month)
            table.add_row(tool, *(cells(record, plain) if record and plain else ["-"] * 9))
        table.add_section()
    return table


def cells(record: RunRecord, plain: RunRecord) -> list[str]:
    ran = [stage for stage in record.stages if stage.state != "skipped"]
    trained = [stage for stage in ran if stage.stage == "train"]
    champion = f"v{record.champion.version} {record.champion.fingerprint[:8]}" if record.champion else "-"
    decision = record.evaluation.decision if record.evaluation else "-"
    counts = (len({stage.stage for stage in ran}), len(trained), sum(stage.attempts for stage in ran))
    times = (f"{wall(record):.1f}", f"{wall(record) - wall(plain):+.1f}")
    return [record.tool_version, record.state, *map(str, counts), decision, champion, *times]


def wall(record: RunRecord) -> float:
    return (record.ended - record.started).total_seconds()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        interrupt.end("the demo was stopped; make demo begins it anew")
