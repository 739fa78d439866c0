"""What the three tests share: a run whose candidates wait, a machine that dies, and the run without that fault.

Airflow's processes import the test beside this file, so nothing heavy is imported at the top.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from shared.runtime import records
from shared.settings import Settings, default_home
from tests.live.watch import until

if TYPE_CHECKING:
    from shared.runtime.cluster import Machine

MONTH = "2013-06"
FAMILIES = ("logistic", f"{__name__}:waiting")
NOTICED_IN, ENDED_IN = 120, 240
"""Seconds after the kill: the limits of scenario.toml."""


def waiting(seed: int) -> Any:
    """A family whose training begins and then waits for the test, which sees on which machines it has begun."""
    from shared.lib.families import logistic

    home = default_home()
    (home / "training").touch()
    until((home.parent / "go").exists, 1200)
    return logistic(seed)


def settings(tool: str, source: Path) -> Settings:
    """Six candidates, two for each airport, of which one waits."""
    return Settings(tool=tool, source=str(source), min_rows=100, families=FAMILIES)


def short(candidate: str) -> str:
    """`EWR/waiting`, of a candidate as the tool names it."""
    return re.sub("/tests.*", "/waiting", candidate.removeprefix("train "))


def undisturbed(home: Path, source: Path) -> records.RunRecord:
    """The record of a run without orchestrator and fault."""
    from shared import plain

    (home.parent / "go").touch()
    return plain.run(MONTH, settings("plain", source))


def both_train(workers: list[Machine]) -> bool:
    """Whether each of the workers has begun with a candidate that waits."""
    return all((worker.folder / "training").exists() for worker in workers)


def lose(machine: Machine) -> float:
    """Send SIGKILL to all processes of the machine, and let the waiting candidates go on; returns when.

    They are stopped first, so that none has time to act on the death of another one.
    """
    home = str(machine.folder)
    first = [each for each in psutil.process_iter(["environ"]) if home_of(each) == home]
    processes = {process for each in first for process in (each, *each.children(recursive=True))}
    assert processes
    for process in processes:
        process.suspend()
    killed = time.time()
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, 10)
    (machine.folder.parent / "go").touch()
    return killed


def home_of(process: psutil.Process) -> str:
    return (process.info["environ"] or {}).get("TRIPTYCH_HOME", "")


def is_same(expected: records.RunRecord, tool: str, machines: list[Machine]) -> bool:
    """Whether a run that has succeeded has the outcome of the other one; how often a stage was tried is no part."""
    paths = [records.path_of_success(tool, MONTH, machine.folder) for machine in machines]
    path = until(lambda: next((path for path in paths if path.exists()), None), 60)
    found = records.RunRecord.model_validate_json(path.read_bytes())
    differing = [line for line in records.differences(expected, found) if not line.startswith("stages.")]
    print(*differing, sep="\n")
    return not differing
