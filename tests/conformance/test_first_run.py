"""A first run that is killed again and again, while it makes its databases, is followed by one that works."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import TOOL

COMMAND = [sys.executable, "-m", f"{TOOL}_impl.run", "2013-06", "--families", "logistic", "--min-rows", "100"]
# Seconds from the first change to a database to the kill; what one run leaves half made, the next one meets.
# tests/shared/test_tracking.py kills the making of MLflow's database in shorter steps.
MOMENTS = (0.0, 1.0, 2.5)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_first_run_killed_while_a_database_is_made_is_followed_by_one_that_works(source: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    killed = [seconds for seconds in MOMENTS if kill_first_run(seconds, home, source)]
    with run(home, source) as again:
        output, _ = again.communicate(timeout=240)
    assert again.returncode == 0, output
    assert len(killed) >= 2, f"killed in time only after {killed} s"


def kill_first_run(seconds: float, home: Path, source: Path) -> bool:
    """Kill a run so long after it has changed a database; False if it had succeeded by then."""
    before = databases(home)
    with run(home, source) as process:
        while process.poll() is None and databases(home) == before:
            time.sleep(0.01)
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate(timeout=60)
            return True
    assert process.returncode == 0, output
    return False


def databases(home: Path) -> dict[Path, int]:
    """The home's databases and their journals, with the time of their last change."""
    return {path: path.stat(follow_symlinks=False).st_mtime_ns for path in home.rglob("*.db*") if path.exists()}


def run(home: Path, source: Path) -> subprocess.Popen[str]:
    """Start the command in the home."""
    return subprocess.Popen(
        [*COMMAND, "--source", str(source)], env={**os.environ, "TRIPTYCH_HOME": str(home)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
