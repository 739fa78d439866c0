"""Servers as child processes: each in a session of its own, which is ended as a whole."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx

from shared.lib.ports import free_port as free_port
from shared.lib.ports import port_for as port_for
from shared.lib.ports import url_of as url_of
from shared.runtime import interrupt
from shared.runtime.guard import end_session

GUARD = Path(__file__).with_name("guard.py")


def guarded(
    command: Sequence[str],
    env: Mapping[str, str] | None = None,
    stdout: IO[bytes] | int | None = None,
    stderr: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, which ends when this process is gone, however that ends (guard.py)."""
    return subprocess.Popen(
        [sys.executable, "-P", str(GUARD), *command], env={**os.environ, **(env or {})},
        stdin=subprocess.PIPE, stdout=stdout, stderr=stderr, start_new_session=True,
    )  # fmt: skip


@contextmanager
def server(
    command: Sequence[str], health: str, log: Path, env: Mapping[str, str] | None = None, seconds: float = 120
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` until the block ends; enters the block when the URL `health` answers with status 200.

    The server ends also when this process is killed (guard.py).
    Output goes to the file `log`. Raises RuntimeError if the server ends, or is not healthy within `seconds`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = guarded(command, env, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until_healthy(process, health, log, seconds)
        yield process
    finally:
        end(process)


def wait_until_healthy(process: subprocess.Popen[bytes], health: str, log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not answers(health):
        if process.poll() is not None:
            raise RuntimeError(
                f"the server ended with exit code {process.returncode} before {health} answered; see {log}"
            )
        if time.monotonic() > deadline:
            raise RuntimeError(f"{health} did not answer within {seconds:.0f} s; see {log}")
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def end(process: subprocess.Popen[bytes]) -> None:
    """End the server with all the processes that it has started."""
    end_session(process.pid)
    process.wait()


def show(
    name: str,
    url: str,
    command: Sequence[str],
    health: str,
    log: Path,
    env: Mapping[str, str] | None = None,
    pages: Mapping[str, str] | None = None,
) -> None:
    """Run a web UI until Ctrl-C (or SIGTERM), its URL and those of some pages, by name, printed when it is ready."""
    interrupt.while_waiting()
    print(f"{name} is starting (log: {os.path.relpath(log)}) …", flush=True)
    try:
        with server(command, health, log, env) as process:
            print(f"{name}: {url}   (Ctrl-C stops it)", flush=True)
            for page, page_url in (pages or {}).items():
                print(f"  {page}: {page_url}", flush=True)
            process.wait()
    except KeyboardInterrupt:
        print(f"\n{name} has stopped.")
    except RuntimeError as error:
        sys.exit(f"error: {error}")
