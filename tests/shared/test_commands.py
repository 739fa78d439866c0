"""The commands around the runs: Ctrl-C ends each in one sentence and leaves no process, and a mistake is told."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.settings import ROOT
from tools import fetched

SECONDS = 20.0
UV = """\
Using CPython 3.11.7
Downloading polars (50.0MiB)
Downloading numpy (16.0MiB)
Downloading pygments (1.2MiB)
 Downloaded polars
 Downloaded pygments
 Downloaded numpy
Installed 3 packages in 1s
 + numpy==2.4.1
error: the disk is full
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout with the same environments: what a command makes there is lost with the test."""
    folder = tmp_path / "a chéckout"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".git", ".local", "__pycache__"))
    (folder / ".local").mkdir()
    (folder / ".local" / "env").symlink_to(ROOT / ".local" / "env")
    return folder


def processes_of(checkout: Path) -> list[str]:
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(checkout) in line]


def interrupt(command: list[str], checkout: Path, begun: Callable[[str], bool]) -> str:
    """Run the command, press Ctrl-C as soon as it has said what shows that it has begun; returns all that it said."""
    environment = {name: value for name, value in os.environ.items() if name not in ("TRIPTYCH_HOME", "MAKEFLAGS")}
    log = checkout / ".local" / "output"
    with log.open("w") as output, subprocess.Popen(
        command, cwd=checkout, env=environment, start_new_session=True, stdout=output, stderr=output
    ) as process:  # fmt: skip
        try:
            while not begun(log.read_text()):
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
        finally:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(SECONDS)
    deadline = time.monotonic() + SECONDS
    while left := processes_of(checkout):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    assert process.returncode in (130, -signal.SIGINT)
    return log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("word", ["=== plain", "shared.stages.train"])
def test_interrupted_demo_says_so_and_leaves_nothing(checkout: Path, word: str) -> None:
    output = interrupt([sys.executable, "-m", "tools.demo"], checkout, lambda output: word in output)

    assert output.endswith("\nthe demo was stopped; make demo begins it anew\n"), output
    assert "Traceback" not in output


@pytest.mark.slow
def test_interrupted_tests_say_so_and_leave_nothing(checkout: Path) -> None:
    def pytest_runs(output: str) -> bool:
        return any("bin/python -m pytest" in line for line in processes_of(checkout))

    output = interrupt([sys.executable, "-m", "tools.test", "-k", "test_nothing_is_pickled"], checkout, pytest_runs)

    assert output.endswith("\nthe tests were stopped\n"), output
    assert "Traceback" not in output


def test_interrupted_set_up_says_so_and_leaves_nothing_half_made(checkout: Path) -> None:
    (checkout / ".local" / "env").unlink()

    output = interrupt(["sh", "tools/setup.sh", "dagster"], checkout, lambda output: "…" in output)

    assert output.splitlines()[-1] == "stopped; the same command goes on where it was"
    assert "Traceback" not in output
    assert not (checkout / ".local" / "env" / "dagster" / ".ready").exists()


def test_set_up_tells_what_it_has_fetched_and_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", UV.splitlines(keepends=True))
    monkeypatch.setattr("signal.signal", lambda *_: None)

    fetched.main()

    assert capsys.readouterr().out.splitlines() == [
        "  fetched polars; 17 MB left",
        "  fetched numpy; 0 MB left",
        "  Installed 3 packages in 1s",
        "  error: the disk is full",
    ]


@pytest.mark.parametrize("month", ["", "2013-13", "2013-06 2013-07", "--help"])
def test_wrong_month_is_told_by_make_in_one_sentence(month: str) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "plain", f"MONTH={month}"], cwd=ROOT, capture_output=True, text=True
    )

    assert done.stderr.splitlines()[0] == f"error: month is {month!r}, expected year and month such as 2013-06"
    assert "usage" not in done.stdout + done.stderr
