"""`python -m prefect_impl.ui`: Prefect's web UI, with the flow served so that it can be run from there."""

import sys

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

from prefect_impl import HOME, server
from shared.runtime import servers


def main() -> None:
    """Show the UI until Ctrl-C or SIGTERM; the process that serves the flow ends first, then the server."""
    interrupt.while_waiting()
    with server.with_pages() as url:
        port = servers.free_port()
        env = {
            "PREFECT_API_URL": f"{url}/api",
            "PREFECT_UI_URL": server.pages_of(url),
            "PREFECT_RUNNER_POLL_FREQUENCY": "2",
            "PREFECT_RUNNER_SERVER_HOST": "127.0.0.1",
            "PREFECT_RUNNER_SERVER_PORT": str(port),
        }
        serve = [sys.executable, "-m", "prefect_impl.serve"]
        servers.show("Prefect", url, serve, f"http://127.0.0.1:{port}/health", HOME / "ui.log", env)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        interrupt.end("Prefect was stopped before it was up.")
