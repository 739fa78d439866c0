"""Dagster's web UI with the pipeline in it: `python -m dagster_impl.ui`; its daemon and its runs end with it."""

import sys

from dagster_impl.instance import prepare
from shared.servers import free_port, show


def main() -> None:
    home, port = prepare(), free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "dagster", "dev", "-m", "dagster_impl.definitions", "-h", "127.0.0.1"]
    show("Dagster", url, [*command, "-p", str(port)], f"{url}/server_info", home / "ui.log")


if __name__ == "__main__":
    main()
