"""Every test, in all environments: `python -m tools.test [--tool TOOL] [--scenario ID] [pytest's arguments]`.

`--pages` runs what a person does on pages, in a browser, instead; `--cluster` what needs the distributed engines.
Shows which test runs in each environment and each failure at once, and ends with one line over all of them.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

from rich.console import Console
from rich.live import Live
from rich.table import Table

from shared.runtime import guard, servers
from shared.settings import ROOT
from tools import mistakes, scenarios
from tools.demo import python_of

EVIDENCE = ROOT / ".local" / "evidence"
SCRATCH = ROOT / ".local" / "test"
CORES = os.cpu_count() or 2
# What needs no engine gives way to the others (not where Linux shares cores by session), one part of it at a time.
# What needs no orchestrator is tested once, in the smallest environment. The longest first, and Dagster's in two parts,
# so that the last ones end at about the same time.
BESIDE = ("dagster shared", "dagster conformance", "airflow conformance")
IN_PROCESS = [f"tests/conformance/test_{name}.py" for name in ("conformance", "lineage", "openlineage", "traces")]
OTHERS = [
    str(path.relative_to(ROOT))
    for path in sorted((ROOT / "tests" / "conformance").glob("test_*.py"))
    if str(path.relative_to(ROOT)) not in IN_PROCESS
]
IN_BROWSER = "tests/page/test_browser.py"
OF_PAGE = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests" / "page").glob("test_*.py"))]
FILES = {
    "dagster shared": ["tests/shared", "tests/bench", *(path for path in OF_PAGE if path != IN_BROWSER)],
    "dagster conformance": IN_PROCESS,
    "airflow conformance": IN_PROCESS,
    "prefect": ["tests/conformance", "tests/prefect_impl", "tests/mistakes/test_prefect.py"],
    "airflow": [*OTHERS, "tests/airflow_impl", "tests/mistakes/test_airflow.py"],
    "dagster": ["tests/mistakes/test_dagster.py"],
    "dagster others": [*OTHERS, "tests/dagster_impl"],
}
PAGES = {
    "airflow pages": ["tests/pages/test_airflow.py"],
    "prefect pages": ["tests/pages/test_prefect.py"],
    "dagster pages": [*(f"tests/pages/test_{name}.py" for name in ("dagster", "mlflow", "serving")), IN_BROWSER],
}
CLUSTERS = {f"{tool} cluster": ["tests/conformance/test_conformance.py"] for tool in scenarios.TOOLS}
console = Console(highlight=False)


@dataclass
class Job:
    """Tests that run one after the other in a tool's environment."""

    name: str
    files: list[str]
    total: int = 0
    running: str = ""
    outcomes: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    read: int = 0

    @property
    def tool(self) -> str:
        return self.name.split()[0]

    @property
    def report(self) -> Path:
        return EVIDENCE / f"{self.name}.xml"

    @property
    def progress(self) -> Path:
        return EVIDENCE / f"{self.name}.jsonl"

    def start(self, arguments: list[str]) -> None:
        """Start pytest; its output goes to a file beside the report."""
        self.report.unlink(missing_ok=True)
        self.progress.write_text("")
        options = ["-p", "tools.pytest_progress", f"--junitxml={self.report}", f"--basetemp={SCRATCH / self.name}"]
        command = [str(python_of(self.tool)), "-m", "pytest", *self.files, *options, *arguments]
        if self.name in BESIDE:
            command = ["nice", "-n", "10", *command]
        self.began = time.monotonic()
        with self.report.with_suffix(".log").open("wb") as log:
            env = {"TEST_PROGRESS": str(self.progress)}
            self.process = servers.guarded(command, env, stdout=log, stderr=subprocess.STDOUT)

    def look(self) -> Iterator[dict[str, Any]]:
        """Take in what has happened since the last look; yields the tests that have ended."""
        lines = self.progress.read_text("utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        for event in map(json.loads, whole[self.read :]):
            self.total = event.get("total", self.total)
            self.running = event.get("test", self.running)
            if "outcome" in event:
                self.outcomes.append(event["outcome"])
                yield event
        self.read = len(whole)

    def counts(self) -> tuple[int, int, int]:
        """How many tests passed, failed (errors included) and were skipped, by pytest's report."""
        found = [0, 0, 0]
        if self.report.exists():
            suite = ET.parse(self.report).getroot()[0]
            total, errors, failures, skipped = (
                int(suite.attrib[name]) for name in ("tests", "errors", "failures", "skipped")
            )
            found = [total - errors - failures - skipped, errors + failures, skipped]
        assert self.process
        return found[0], found[1] or int(self.process.returncode not in (0, 5)), found[2]


def main() -> None:
    """Exits 1 if a test failed, an environment ran none, or a tool did otherwise than docs/ has."""
    parser = argparse.ArgumentParser(description="Run the tests in all environments.")
    parser.add_argument("--tool", choices=scenarios.TOOLS, help="in this tool's environment only")
    parser.add_argument("--scenario", type=str.upper, help="only the three tests of this scenario, such as R4")
    parser.add_argument("--pages", action="store_true", help="the tests of pages, in a browser")
    parser.add_argument("--cluster", action="store_true", help="conformance and scenarios on the clusters")
    chosen, arguments = parser.parse_known_args()
    parts = PAGES if chosen.pages else CLUSTERS if chosen.cluster else FILES
    jobs = jobs_for(chosen.tool, chosen.scenario, FILES | CLUSTERS if chosen.scenario else parts)
    for folder in (EVIDENCE, SCRATCH):
        folder.mkdir(parents=True, exist_ok=True)
    interrupt.while_waiting()
    try:
        run_all(jobs, [*arguments, "--cluster"] if chosen.cluster else arguments)
    except KeyboardInterrupt:
        stop(jobs)
        interrupt.end("the tests were stopped")
    counts = [job.counts() for job in jobs]
    for job, (passed, failed, _) in zip(jobs, counts, strict=True):
        if failed:
            print(f"\n=== {job.name} ===\n{job.report.with_suffix('.log').read_text('utf-8')}")
        elif not passed and not arguments:
            print(f"error: no test ran in {job.name}, expected some; see {job.report.with_suffix('.log')}")
    idle = not arguments and any(sum(found[:2]) == 0 for found in counts)
    changed = scenarios.disagreements() + mistakes.disagreements()
    for line in changed:
        print(f"error: {line}; if that is right, run make scenarios")
    passed, failed, skipped = (sum(column) for column in zip(*counts, strict=True))
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(bool(failed or idle or changed))


def jobs_for(tool: str | None, scenario: str | None, parts: dict[str, list[str]]) -> list[Job]:
    """What to run: all parts, or those of a tool, or a scenario's tests; a scenario may name its part."""
    found = scenarios.scenarios()
    if scenario and scenario not in [one.id for one in found]:
        sys.exit(f"error: {scenario} is no scenario, expected one of {', '.join(one.id for one in found)}")
    jobs = []
    for name, files in parts.items():
        mine = [one for one in found if one.text.get("part", "") == name.partition(" ")[2]]
        if scenario:
            files, mine = [], [one for one in mine if one.id == scenario]
        tests = [str(one.test(name.split()[0]).relative_to(ROOT)) for one in mine]
        there = [file for file in [*tests, *files] if (ROOT / file).exists()]
        if there and tool in (None, name.split()[0]):
            jobs.append(Job(name, there))
    return jobs


def run_all(jobs: list[Job], arguments: list[str]) -> None:
    """Run the jobs, some of them at once, and show what goes on."""
    waiting, running = list(jobs), list[Job]()
    with Live(console=console, refresh_per_second=4) if console.is_terminal else nullcontext() as live:
        while waiting or running:
            for job in list(waiting):
                if has_room(job, running):
                    waiting.remove(job)
                    running.append(job)
                    job.start(arguments)
            for job in list(running):
                ended = job.process is not None and job.process.poll() is not None
                for event in job.look():
                    tell(job, event)
                if ended:
                    running.remove(job)
                    seconds = time.monotonic() - job.began
                    console.print(f"{job.name}: {len(job.outcomes)} tests in {seconds:.0f} s", markup=False)
            if live:
                live.update(table(jobs))
            time.sleep(0.2)


def has_room(job: Job, running: list[Job]) -> bool:
    """Whether the job may start: one more than there are cores, as tests wait for their engine a part of the time."""
    if job.name in CLUSTERS:  # each has a dozen servers
        return not running
    if job.name in PAGES:  # a browser waits for nothing
        return len(running) < CORES
    beside = any(each.name in BESIDE for each in running)
    return len(running) <= CORES and not (beside and job.name in BESIDE)


def tell(job: Job, event: dict[str, Any]) -> None:
    """Print a failure at once; without a terminal, every test."""
    if event["outcome"] == "failed" or not console.is_terminal:
        done = f"{job.name} {len(job.outcomes)} of {job.total}"
        console.print(
            f"[{done}] {event['outcome']} {event['ended']} ({event['seconds']} s)", markup=False, soft_wrap=True
        )
    if event["text"]:
        console.print(event["text"], markup=False, soft_wrap=True)


def table(jobs: list[Job]) -> Table:
    """The lines that live: environment, tests done of all, failures, and the test that runs now."""
    shown = Table("environment", "done", "failed", "now", box=None)
    for job in jobs:
        ended = job.process is not None and job.process.poll() is not None
        now = "" if ended else job.running.removeprefix("tests/") if job.process else "waits"
        shown.add_row(job.name, f"{len(job.outcomes)} of {job.total}", str(job.outcomes.count("failed")), now)
    return shown


def stop(jobs: list[Job]) -> None:
    """Let pytest end what it has started, and end for sure what does not heed it."""
    running = [job.process for job in jobs if job.process and job.process.poll() is None]
    for process in running:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
    for process in running:
        with suppress(subprocess.TimeoutExpired):
            process.wait(interrupt.GRACE_SECONDS)
        guard.end_session(process.pid)


if __name__ == "__main__":
    main()
