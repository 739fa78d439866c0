"""A tool's web UI, its metrics, and Prometheus over them: what `make monitor` starts."""

import sys
import time
from contextlib import ExitStack
from subprocess import Popen

from shared.runtime import exporter, interrupt, prometheus, servers
from shared.settings import Settings


def main(tool: str, health: str, metrics_path: str | None = None) -> None:
    """Run all of it until Ctrl-C, each part's address printed when it is ready.

    `health` is what the UI answers when it is up; `metrics_path` is where the UI's server itself shows the metrics;
    without it, a process of their own does.
    """
    if not prometheus.is_installed():
        sys.exit(f"error: {prometheus.MISSING}")
    interrupt.while_waiting()
    settings = Settings(tool=tool)
    try:
        with ExitStack() as stack:
            ui = servers.guarded([sys.executable, "-m", f"{tool}_impl.ui"])
            stack.callback(servers.end, ui)
            wait_for(ui, tool, health, settings)
            if metrics_path:
                metrics = servers.url_of(tool, settings.home) + metrics_path
            else:
                metrics = stack.enter_context(exporter.running(tool, settings))
            port = servers.port_for(f"{tool}-prometheus", settings.home)
            folder = settings.home / "prometheus" / tool
            url = stack.enter_context(prometheus.running(metrics, folder, port))
            print(f"Prometheus: {url}/alerts   (Ctrl-C stops all)\n  metrics: {metrics}", flush=True)
            ui.wait()
    except KeyboardInterrupt:
        interrupt.end("all of it has stopped")
    except RuntimeError as error:
        sys.exit(f"error: {error}")


def wait_for(ui: Popen[bytes], tool: str, health: str, settings: Settings) -> None:
    """Wait until the UI answers; its port may change as it starts. Exits if it ends, having said why."""
    while not servers.answers(servers.url_of(tool, settings.home) + health):
        if ui.poll() is not None:
            sys.exit(f"error: {tool}'s web UI has ended, so that there is nothing to monitor; see what it says above")
        time.sleep(0.2)
