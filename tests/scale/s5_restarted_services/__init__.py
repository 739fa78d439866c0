"""What the three tests share: a service of a cluster that dies in mid fan-out and comes back, and what starts it again.

Airflow's processes import the test beside this file, so nothing heavy is imported at the top.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import httpx
import psutil

from shared.runtime.servers import guarded

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import Popen

    from shared.runtime.cluster import Machine

T = TypeVar("T")
OUTAGE, ENDED_IN = 5, 240
"""Seconds from the kill: the limits of scenario.toml."""
FAULTS = ("broker", "database")
AGAIN = ["sh", "-c", 'while :; do "$@"; sleep 1; done', "sh"]


@contextmanager
def restarted(machines: list[Machine], url: str, run: Callable[[int], AbstractContextManager[str]]) -> Iterator[float]:
    """Kill the service at the URL, let the waiting candidates go on, and run it again; yields when it was killed."""
    port = urlsplit(url).port or 0
    killed = kill(port)
    (machines[0].folder.parent / "go").touch()
    time.sleep(OUTAGE)  # how long the fault lasts
    with run(port):
        yield killed


def kill(port: int) -> float:
    """Send SIGKILL to the server that was started on the port, with all its processes; returns when.

    It is stopped first, so that it starts no process that would be missed.
    """
    ours = set(psutil.Process().children(recursive=True))
    found = [each for each in psutil.process_iter(["cmdline"]) if str(port) in (each.info["cmdline"] or ())]
    first = [each for each in found if each in ours]
    assert first
    for process in first:
        process.suspend()
    processes = {process for each in first for process in (each, *each.children(recursive=True))}
    killed = time.time()
    for process in processes:
        process.kill()
    _, alive = psutil.wait_procs(processes, 60)
    assert not alive
    return killed


def asked(look: Callable[[], T]) -> T | None:
    """What `look` returns; None if the tool's server answers an error, as it may while it finds its database again."""
    with suppress(AssertionError, httpx.HTTPError):
        return look()
    return None


def database(machines: list[Machine]) -> tuple[str, Callable[[int], AbstractContextManager[str]]]:
    """The database's URL, and what runs it on a port."""
    return machines[0].env["TRIPTYCH_LOCKS"], partial(recovered, machines[0].folder.parent / "shared" / "postgres")


@contextmanager
def recovered(folder: Path, port: int) -> Iterator[str]:
    """Run PostgreSQL with the data of one that was killed: from its log it recovers what had been committed."""
    from shared.runtime.postgres import postgres

    with postgres(folder, port) as url:
        assert "was not properly shut down" in folder.with_suffix(".log").read_text()
        yield url


def supervised(command: list[str], *rest: Any, **more: Any) -> Popen[bytes]:
    """Start a command as `servers.guarded` does, and again whenever it has ended, as systemd and Kubernetes do."""
    return guarded([*AGAIN, *command], *rest, **more)


def answers(seen: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Answers and facts, of what was seen for each fault."""
    return {
        "success": all(one["success"] for one in seen.values()),
        "broker_survived": seen["broker"]["success"],
        "database_survived": seen["database"]["success"],
        "same_champion": all(one["same"] for one in seen.values()),
        **{fact: {fault: one[fact] for fault, one in seen.items()} for fact in ("seconds", "run_state", "attempts")},
    }
