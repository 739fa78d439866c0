"""A first run that is killed while it makes a database leaves one that the next run can use, or none."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TOOL

# Seconds after the beginning; each costs two starts of the tool. tests/shared/test_tracking.py has shorter steps.
MOMENTS = (0.0, 1.0, 2.0, 3.0, 4.0)
COMMAND = [sys.executable, "-m", f"{TOOL}_impl.run", "2013-06", "--families", "logistic", "--min-rows", "100"]

# What a first run makes: when its making has begun, and when it has ended.
DATABASES: dict[str, tuple[Callable[[Path], bool], Callable[[Path], bool]]] = {
    "the tool's": (lambda home: any((home / TOOL).rglob("*.db")), lambda home: (home / "store").exists()),
    "MLflow's": (lambda home: (home / "mlflow").exists(), lambda home: (home / "mlflow" / "mlflow.db").exists()),
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", DATABASES)
def test_first_run_killed_while_a_database_is_made_is_followed_by_one_that_works(
    database: str, source: Path, tmp_path: Path
) -> None:
    begun, ended = DATABASES[database]
    for moment in MOMENTS:
        home = tmp_path / f"killed after {moment} s"
        if not kill_first_run(home, source, begun, ended, moment):
            break
        again = run(home, source)
        said, _ = again.communicate(timeout=120)
        assert again.returncode == 0, said
    assert moment, "no run was killed in time"


def kill_first_run(
    home: Path, source: Path, begun: Callable[[Path], bool], ended: Callable[[Path], bool], seconds: float
) -> bool:
    """Start a first run and kill it so long after the making has begun; False if it had ended by then."""
    process = run(home, source)
    while not begun(home):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    time.sleep(seconds)  # the moment of the kill
    in_time = not ended(home)
    process.kill()
    process.communicate(timeout=60)
    return in_time


def run(home: Path, source: Path) -> subprocess.Popen[str]:
    """Start the command in the home."""
    return subprocess.Popen(
        [*COMMAND, "--source", str(source)], env={**os.environ, "TRIPTYCH_HOME": str(home)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
