"""Runs a tool's code in a process of its own, as OpenTelemetry is set up once a process, before the tool is used."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shared.runtime.servers import free_port
from tests.collector import answers, collector

# Says when the run begins: until then the tool is loaded, and after it spans may still have to be sent.
PROGRAM = """
import importlib, sys, time
function = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
print("BEGINS", time.time(), flush=True)
function()
"""


def observe(function: Callable[[], Any], run: str, tasks: list[str]) -> dict[str, Any]:
    """What came of a run, whose tasks have these names, with a collector; at the same time one without is timed."""
    dead = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    tool = environment()  # which other threads do not see
    with collector() as receiver, ThreadPoolExecutor() as pool:
        alive, longer = pool.map(timed, [function] * 2, [tool | receiver.variables, tool | dead])
        found = answers(receiver.spans, run, tasks)
    added = (longer - alive) / len(tasks)
    return {"success": True, **found, "cheap_when_dead": added < 3, "added": round(max(0, added))}


def timed(function: Callable[[], Any], variables: dict[str, str]) -> float:
    """The seconds from the run's beginning to the end of its process; AssertionError if the run raised an error."""
    command = [sys.executable, "-c", PROGRAM, function.__module__, getattr(function, "__name__", "")]
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    ended = time.time()
    assert done.returncode == 0, done.stdout + done.stderr
    return ended - float(done.stdout.split("BEGINS")[1].split()[0])


def environment() -> dict[str, str]:
    """The tool's settings as this process has them."""
    if "prefect" not in sys.modules:
        return dict(os.environ)
    from prefect.settings import get_current_settings

    return {**os.environ, **get_current_settings().to_environment_variables(exclude_unset=True)}
