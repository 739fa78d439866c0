"""`python -m prefect_impl.ui`: Prefect's web UI, the flow deployed, and a worker, so that it can be run from there."""

import sys

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

from prefect_impl import HOME, home
from shared.runtime import servers


def variables(url: str, port: int) -> dict[str, str]:
    """For the worker: where the server is, and on which port of 127.0.0.1 it tells that it is at work."""
    return {
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_UI_URL": home.pages_of(url),
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1",
        "PREFECT_WORKER_WEBSERVER_PORT": str(port),
    }


def main() -> None:
    """Show the UI until Ctrl-C or SIGTERM; the worker ends first, then the server."""
    interrupt.while_waiting()
    with home.with_pages() as url:
        port = servers.free_port()
        serve = [sys.executable, "-m", "prefect_impl.serve"]
        servers.show("Prefect", url, serve, f"http://127.0.0.1:{port}/health", HOME / "ui.log", variables(url, port))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        interrupt.end("Prefect was stopped before it was up.")
