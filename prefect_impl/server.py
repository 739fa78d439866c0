"""Prefect's own server: it keeps the runs, and a flow does not run without it."""

import atexit
import sys
from contextlib import ExitStack
from functools import cache

from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings

from prefect_impl import HOME
from shared import servers


def command(port: int, *options: str) -> list[str]:
    return [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), *options]


@cache
def ensure() -> None:
    """Start a server that lives as long as this process, unless PREFECT_API_URL names one that runs."""
    if PREFECT_API_URL.value():
        return
    port = servers.free_port()
    url = f"http://127.0.0.1:{port}/api"
    stack = ExitStack()
    # Prefect's own exit hooks send the last logs and events; they run before this one.
    atexit.register(stack.close)
    options = ("--no-ui", "--no-scheduler", "--no-late-runs")
    stack.enter_context(servers.server(command(port, *options), f"{url}/health", HOME / f"server-{port}.log"))
    stack.enter_context(temporary_settings({PREFECT_API_URL: url, PREFECT_UI_URL: ""}))
