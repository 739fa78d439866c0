"""Prefect's home: its server, which keeps the runs in the home's database. No flow runs without a server."""

import atexit
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from pathlib import Path
from uuid import UUID

import httpx
from filelock import FileLock
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings

from prefect_impl import HOME
from shared.runtime import servers

ENVIRONMENT = {
    "PREFECT_UI_STATIC_DIRECTORY": str(HOME / "pages"),
    # The server would look for its catalogue of workers on GitHub first; it has a copy.
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1,localhost",
}
# The catalogue of block types is for the pages only; without it, no memo must say that it is there.
WITHOUT_CATALOGUE = {
    **ENVIRONMENT,
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
}


@contextmanager
def running(port: int, command: Sequence[str], env: Mapping[str, str]) -> Iterator[str]:
    """Run the server by the command, on the port of 127.0.0.1, until the block ends; yields its URL."""
    url, log = f"http://127.0.0.1:{port}", HOME / f"server-{port}.log"
    env = {**env, "PREFECT_SERVER_UI_API_URL": f"{url}/api"}  # else the pages ask Prefect's default port
    print("Prefect's server is starting …", flush=True)
    with ExitStack() as stack:
        # Of two servers that make a new database at the same time, one would fail.
        with FileLock(HOME / "server.lock"):
            stack.enter_context(servers.server([sys.executable, "-m", *command], f"{url}/api/health", log, env))
        yield url
    log.unlink(missing_ok=True)


def with_pages() -> AbstractContextManager[str]:
    """The server with its web UI, on the port that the home keeps for it."""
    port = servers.port_for("prefect", HOME.parent)
    return running(port, ["prefect_impl.pages", str(port)], ENVIRONMENT)


def without_pages() -> AbstractContextManager[str]:
    """The server for the runs of one process: no web UI, and nothing that starts runs."""
    port = servers.free_port()
    start = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    return running(port, [*start, "--no-ui", "--no-scheduler", "--no-late-runs"], WITHOUT_CATALOGUE)


@cache
def ensure_server() -> None:
    """Use the server that PREFECT_API_URL names, or the UI's if it is up, or start one that ends with this process."""
    if PREFECT_API_URL.value():
        return
    stack = ExitStack()
    atexit.register(stack.close)  # runs after Prefect's own exit hooks, which send the last logs and events
    pages = servers.url_of("prefect", HOME.parent)
    if is_ours(pages):
        url, shown = pages, pages_of(pages)
    else:
        url, shown = stack.enter_context(without_pages()), ""
    stack.enter_context(temporary_settings({PREFECT_API_URL: f"{url}/api", PREFECT_UI_URL: shown}))


def is_ours(url: str) -> bool:
    """Whether the server of this home listens there, and not another one that has got the port since."""
    try:
        return httpx.get(f"{url}/api/admin/settings", timeout=5, trust_env=False).json().get("home") == str(HOME)
    except (httpx.HTTPError, ValueError):
        return False


def pages_of(url: str) -> str:
    return f"{url}/v2"


def run_url(flow_run_id: UUID | str, home: Path) -> str:
    """The run's page when `make prefect-ui` is up."""
    return f"{pages_of(servers.url_of('prefect', home))}/runs/flow-run/{flow_run_id}"
