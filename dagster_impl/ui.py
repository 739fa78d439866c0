"""Dagster's web UI with the pipeline in it: `python -m dagster_impl.ui`; its daemon and its runs end with it."""

import sys

from dagster_impl.instance import prepare
from shared.servers import free_port, show
from shared.settings import ROOT


def main() -> None:
    home, port = prepare(), free_port()
    url, where = f"http://127.0.0.1:{port}", ["--host", "127.0.0.1", "--port", str(port)]
    command = [sys.executable, "-m", "dagster_dg_cli.cli", "dev", "--target-path", str(ROOT), *where]
    show("Dagster", url, command, f"{url}/server_info", home / "ui.log")


if __name__ == "__main__":
    main()
