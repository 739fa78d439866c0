"""Every test, in all environments: `python -m tools.test [pytest's arguments]`; one closing line over all of them."""

import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from contextlib import suppress
from pathlib import Path

from shared import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

from shared import guard, servers
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


def main() -> None:
    """Exits 1 if a test failed, an environment ran none, or a tool said something else than docs/evidence.json has."""
    for folder in (EVIDENCE, SCRATCH):
        folder.mkdir(parents=True, exist_ok=True)
    print(
        f"Running the tests of {len(FOLDERS)} environments side by side; each one's output follows at its end.",
        flush=True,
    )
    interrupt.while_waiting()
    runs = {tool: start(tool, sys.argv[1:]) for tool in FOLDERS}
    try:
        counts = {tool: result(tool, process) for tool, process in runs.items()}
    except KeyboardInterrupt:
        stop(runs)
        interrupt.end("the tests were stopped")
    idle = [tool for tool, (passed, failed, _) in counts.items() if passed + failed == 0]
    for tool in idle:
        print(f"error: no test ran in the environment for {tool}, expected some; see above")
    changed = [] if sys.argv[1:] else scenarios.disagreements()
    for line in changed:
        print(f"error: {line}; if that is right, run make scenarios")
    passed, failed, skipped = (sum(column) for column in zip(*counts.values(), strict=True))
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(bool(failed or idle or changed))


def start(tool: str, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start the environment's tests; their output goes to a file beside the report."""
    report = EVIDENCE / f"{tool}.xml"
    report.unlink(missing_ok=True)
    scratch = f"--basetemp={SCRATCH / tool}"
    files = [*FOLDERS[tool], *(f"tests/{topic}/test_{tool}.py" for topic in (*scenarios.TOPICS, "pages"))]
    command = [str(python_of(tool)), "-m", "pytest", *files, f"--junitxml={report}", scratch, *arguments]
    with report.with_suffix(".log").open("wb") as log:
        return servers.guarded(command, stdout=log, stderr=subprocess.STDOUT)


def result(tool: str, process: subprocess.Popen[bytes]) -> tuple[int, int, int]:
    """Wait for the end; returns how many tests passed, failed (errors included) and were skipped."""
    process.wait()
    report = EVIDENCE / f"{tool}.xml"
    print(f"=== tests in the environment for {tool} ===\n{report.with_suffix('.log').read_text('utf-8')}", flush=True)
    passed, failed, skipped = read(report)
    return passed, failed or int(process.returncode not in (0, 5)), skipped


def stop(runs: dict[str, subprocess.Popen[bytes]]) -> None:
    """Let pytest end what it has started, and end for sure what does not heed it."""
    for process in runs.values():
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
    for process in runs.values():
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
