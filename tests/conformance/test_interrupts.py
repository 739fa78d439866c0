"""Ctrl-C ends a run in a few seconds and one sentence, whatever it is doing, and the same command then works."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient

from shared.runtime import guard, records
from shared.runtime.records import differences
from shared.settings import Settings
from tests.conformance.test_conformance import FEW, aliases, versions
from tests.conftest import TOOL
from tests.faults import Kill

pytestmark = pytest.mark.slow

# The command's own limit is 5 s; a machine on which other tests run takes longer for everything.
SECONDS = 20
COMMAND = [sys.executable, "-m", f"{TOOL}_impl.run", "2013-06", "--min-rows", "100", "--families", *FEW, "--source"]


def interrupted(source: Path, kill: Kill, twice: bool = False) -> str:
    """Run the command, which gets the signal that was ordered; returns what it has printed."""
    with subprocess.Popen(
        [*COMMAND, str(source)], env={**os.environ, **kill.env}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        while not kill.killed:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.01)
        began = time.monotonic()
        if twice:
            os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=SECONDS)
    # A second interrupt may come while Python ends, when it has no handler any more.
    assert process.returncode == 130 or (twice and process.returncode == -signal.SIGINT), output
    while guard.session(process.pid):
        assert time.monotonic() - began < SECONDS, "a process was left"
        time.sleep(0.1)
    return output


def check_stopped(output: str, settings: Settings) -> None:
    """What an interrupt must leave: a sentence, a record, nothing that runs."""
    record = records.read(TOOL, "2013-06", settings.home)
    assert "Traceback" not in output
    assert output.count("\nstopped") == 1, output
    assert (record.state, record.error) == ("failed", records.STOPPED)
    client = MlflowClient(settings.tracking_uri)
    runs = client.search_runs([found.experiment_id for found in client.search_experiments()])
    assert not [run for run in runs if run.info.status == "RUNNING"]


def takes_sigterm(pid: int) -> bool:
    """Whether the process has a handler for SIGTERM, as the command has before it imports what takes long."""
    handled = re.search(r"SigCgt:\s+(\w+)", Path(f"/proc/{pid}/status").read_text())
    return bool(int(handled[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_before_it_has_begun_a_run_leaves_nothing(number: signal.Signals, home: Path, source: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, str(source)], start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        while not takes_sigterm(process.pid):
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.01)
        os.killpg(process.pid, number)
        output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, output
    assert output.endswith("\nstopped before anything was begun\n")
    assert not (home / "records").exists()


def test_runs_that_are_killed_or_interrupted_change_nothing_and_the_next_one_works(
    both: SimpleNamespace, source: Path, tmp_path: Path
) -> None:
    """Killed as it trains; interrupted in the first, a middle and the last stage, there twice."""
    both.plain(families=FEW, min_rows=1000), both.tool(families=FEW, min_rows=1000)  # one airport has as many
    kill, settings = Kill(tmp_path), Settings(tool=TOOL)
    before = aliases(settings)
    kill.at("shared.stages.train:split")
    killed = subprocess.run([*COMMAND, str(source)], env={**os.environ, **kill.env}, capture_output=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    for function, number, twice in (
        ("shared.stages.ingest:check_no_gap", signal.SIGINT, False),
        ("shared.stages.train:split", signal.SIGTERM, False),
        ("shared.stages.deploy:smoke_test", signal.SIGINT, True),
    ):
        kill.at(function, number)
        check_stopped(interrupted(source, kill, twice), settings)  # the killed run is over by then, too
        assert aliases(settings) == before
    plain, tool = both.plain(families=FEW), both.tool(families=FEW)
    assert differences(plain, tool) == []
    assert aliases(settings) == {"champion": "2", "previous": "1"}
    assert versions(settings) == 2
