"""Servers as child processes: each in a session of its own, which is ended as a whole."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
ASK_HERE_ONLY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob: http://127.0.0.1:* ws://127.0.0.1:*"
"""A Content-Security-Policy: the browser asks no other machine for the sake of a page that comes with it."""


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
def background(
    command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command`, its output in the file `log`, until the block ends, or this process is killed (guard.py)."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = guarded(command, env, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        end(process)


@contextmanager
def server(
    command: Sequence[str], health: str, log: Path, env: Mapping[str, str] | None = None, seconds: float = 240
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` in the background; enters the block when the URL `health` answers with status 200.

    Raises RuntimeError if the server ends, or is not healthy within `seconds`.
    """
    with background(command, log, env) as process:
        wait_until(lambda: answers(health), process, health, log, seconds)
        yield process


def wait_until(
    up: Callable[[], bool], process: subprocess.Popen[bytes], name: str, log: Path, seconds: float = 240
) -> None:
    """Wait until the server is up. Raises RuntimeError if it ends, or is not up within `seconds`."""
    deadline = time.monotonic() + seconds
    while not up():
        if process.poll() is not None:
            raise RuntimeError(
                f"the server ended with exit code {process.returncode} before {name} answered; see {log}"
            )
        if time.monotonic() > deadline:
            raise RuntimeError(f"{name} did not answer within {seconds:.0f} s; see {log}")
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        # Over HTTP there is nothing to verify; by default httpx loads all certificates first, at each look.
        return httpx.get(url, timeout=5, trust_env=False, verify=False).status_code == 200
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
