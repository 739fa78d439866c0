"""Prefect's own server: it keeps the runs, and no flow runs without it."""

import atexit
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

from filelock import FileLock
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings

from prefect_impl import HOME
from shared import servers


@contextmanager
def running(*options: str) -> Iterator[str]:
    """Run `prefect server start` on a free port of 127.0.0.1 until the block ends; yields its URL."""
    port = servers.free_port()
    url, log = f"http://127.0.0.1:{port}", HOME / f"server-{port}.log"
    start = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    env = {"PREFECT_SERVER_UI_API_URL": f"{url}/api"}  # else the pages ask Prefect's default port
    with ExitStack() as stack:
        # Of two servers that make a new database at the same time, one would fail.
        with FileLock(HOME / "server.lock"):
            stack.enter_context(servers.server([*start, *options], f"{url}/api/health", log, env))
        yield url
    log.unlink(missing_ok=True)


@cache
def ensure() -> None:
    """Start a server that lives as long as this process, unless PREFECT_API_URL names one."""
    if PREFECT_API_URL.value():
        return
    stack = ExitStack()
    atexit.register(stack.close)  # runs after Prefect's own exit hooks, which send the last logs and events
    url = stack.enter_context(running("--no-ui", "--no-scheduler", "--no-late-runs"))
    stack.enter_context(temporary_settings({PREFECT_API_URL: f"{url}/api", PREFECT_UI_URL: ""}))
