"""Every test, in all environments: `python -m tools.test [pytest's arguments]`; one closing line over all of them."""

import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from contextlib import suppress
from pathlib import Path

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

from shared.runtime import guard, servers
from shared.settings import ROOT
from tools import scenarios
from tools.demo import python_of

EVIDENCE = ROOT / ".local" / "evidence"
SCRATCH = ROOT / ".local" / "test"
# What needs no orchestrator is tested once.
FOLDERS = {
    "airflow": ["tests/conformance"],
    "prefect": ["tests/conformance", "tests/prefect_impl"],
    "dagster": ["tests/shared", "tests/conformance", "tests/pages/test_mlflow.py", "tests/pages/test_serving.py"],
}
# Afterwards, one after the other: a person has the machine to himself, too.
PAGES = {f"{tool}-pages": tool for tool in FOLDERS}


def main() -> None:
    """Exits 1 if a test failed, an environment ran none, or a tool said something else than docs/evidence.json has."""
    for folder in (EVIDENCE, SCRATCH):
        folder.mkdir(parents=True, exist_ok=True)
    print(
        f"Running the tests of {len(FOLDERS)} environments side by side, then those of the tools' own pages; "
        "each one's output follows at its end.",
        flush=True,
    )
    interrupt.while_waiting()
    runs: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for tool, folders in FOLDERS.items():
            scenarios_of_tool = [f"tests/{topic}/test_{tool}.py" for topic in scenarios.TOPICS]
            runs[tool] = start(tool, tool, [*folders, *scenarios_of_tool])
        counts = {name: result(name, process) for name, process in runs.items()}
        for name, tool in PAGES.items():
            runs[name] = start(name, tool, [f"tests/pages/test_{tool}.py"])
            counts[name] = result(name, runs[name])
    except KeyboardInterrupt:
        stop(runs)
        interrupt.end("the tests were stopped")
    idle = [tool for tool in FOLDERS if sum(counts[tool][:2]) == 0]
    for tool in idle:
        print(f"error: no test ran in the environment for {tool}, expected some; see above")
    changed = [] if sys.argv[1:] else scenarios.disagreements()
    for line in changed:
        print(f"error: {line}; if that is right, run make scenarios")
    passed, failed, skipped = (sum(column) for column in zip(*counts.values(), strict=True))
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(bool(failed or idle or changed))


def start(name: str, tool: str, files: list[str]) -> subprocess.Popen[bytes]:
    """Start tests in the tool's environment; their output goes to a file beside the report."""
    report = EVIDENCE / f"{name}.xml"
    report.unlink(missing_ok=True)
    scratch = f"--basetemp={SCRATCH / name}"
    command = [str(python_of(tool)), "-m", "pytest", *files, f"--junitxml={report}", scratch, *sys.argv[1:]]
    with report.with_suffix(".log").open("wb") as log:
        return servers.guarded(command, stdout=log, stderr=subprocess.STDOUT)


def result(name: str, process: subprocess.Popen[bytes]) -> tuple[int, int, int]:
    """Wait for the end; returns how many tests passed, failed (errors included) and were skipped."""
    process.wait()
    report = EVIDENCE / f"{name}.xml"
    print(f"=== tests in the environment for {name} ===\n{report.with_suffix('.log').read_text('utf-8')}", flush=True)
    passed, failed, skipped = read(report)
    return passed, failed or int(process.returncode not in (0, 5)), skipped


def stop(runs: dict[str, subprocess.Popen[bytes]]) -> None:
    """Let pytest end what it has started, and end for sure what does not heed it."""
    running = [process for process in runs.values() if process.poll() is None]
    for process in running:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
    for process in running:
        with suppress(subprocess.TimeoutExpired):
            process.wait(interrupt.GRACE_SECONDS)
        guard.end_session(process.pid)


def read(report: Path) -> tuple[int, int, int]:
    if not report.exists():
        return 0, 0, 0
    suite = ET.parse(report).getroot()[0]
    total, errors, failures, skipped = (int(suite.attrib[name]) for name in ("tests", "errors", "failures", "skipped"))
    return total - errors - failures - skipped, errors + failures, skipped


if __name__ == "__main__":
    main()
