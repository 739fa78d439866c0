"""`python -m prefect_impl.ui`: Prefect's web UI, with the flow served so that it can be run from there."""

import signal
import sys

from prefect_impl import HOME, server
from shared import servers


def main() -> None:
    """Show the UI until Ctrl-C or SIGTERM; the process that serves the flow ends first, then the server."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with server.running() as url:
        serve = [sys.executable, "-m", "prefect_impl.pipeline"]
        deployment = f"{url}/api/deployments/name/late-flights/local"
        env = {"PREFECT_API_URL": f"{url}/api", "PREFECT_RUNNER_POLL_FREQUENCY": "2"}
        servers.show("Prefect", url, serve, deployment, HOME / "ui.log", env)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
