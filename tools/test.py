"""Every test, in all environments: `python -m tools.test [pytest's arguments]`; one closing line over all of them."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shared.settings import ROOT
from tools import scenarios
from tools.demo import python_of

EVIDENCE = ROOT / ".local" / "evidence"
SCRATCH = ROOT / ".local" / "test"
# What needs no orchestrator is tested once.
FOLDERS = {
    "airflow": ["tests/conformance"],
    "prefect": ["tests/conformance", "tests/prefect_impl"],
    "dagster": ["tests/shared", "tests/conformance"],
}


def main() -> None:
    """Exits 1 if a test failed, an environment ran none, or a tool said something else than docs/evidence.json has."""
    for folder in (EVIDENCE, SCRATCH):
        folder.mkdir(parents=True, exist_ok=True)
    print(
        f"Running the tests of {len(FOLDERS)} environments side by side; each one's output follows at its end.",
        flush=True,
    )
    with ThreadPoolExecutor() as pool:
        counts = dict(zip(FOLDERS, pool.map(lambda tool: run(tool, sys.argv[1:]), FOLDERS), strict=True))
    idle = [tool for tool, (passed, failed, _) in counts.items() if passed + failed == 0]
    for tool in idle:
        print(f"error: no test ran in the environment for {tool}, expected some; see above")
    changed = [] if sys.argv[1:] else scenarios.disagreements()
    for line in changed:
        print(f"error: {line}; if that is right, run make scenarios")
    passed, failed, skipped = (sum(column) for column in zip(*counts.values(), strict=True))
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(bool(failed or idle or changed))


def run(tool: str, arguments: list[str]) -> tuple[int, int, int]:
    """Run the environment's tests; returns how many passed, failed (errors included) and were skipped."""
    report = EVIDENCE / f"{tool}.xml"
    report.unlink(missing_ok=True)
    scratch = f"--basetemp={SCRATCH / tool}"
    files = [*FOLDERS[tool], *(f"tests/{topic}/test_{tool}.py" for topic in scenarios.TOPICS)]
    command = [python_of(tool), "-m", "pytest", *files, f"--junitxml={report}", scratch, *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(f"=== tests in the environment for {tool} ===\n{done.stdout}", flush=True)
    passed, failed, skipped = read(report)
    return passed, failed or int(done.returncode not in (0, 5)), skipped


def read(report: Path) -> tuple[int, int, int]:
    if not report.exists():
        return 0, 0, 0
    suite = ET.parse(report).getroot()[0]
    total, errors, failures, skipped = (int(suite.attrib[name]) for name in ("tests", "errors", "failures", "skipped"))
    return total - errors - failures - skipped, errors + failures, skipped


if __name__ == "__main__":
    main()
