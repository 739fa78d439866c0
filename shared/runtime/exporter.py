"""The page of a tool's metrics that Prometheus reads: each time it is asked for, the tool's records are read anew."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, generate_latest, make_wsgi_app
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from shared.runtime import interrupt, metrics, servers
from shared.settings import Settings

SETTLED = timedelta(minutes=1)
"""A tool's records may learn of a run's last stages a moment after the run's end."""

Ended = Iterable[tuple[str, datetime, Callable[[], metrics.Run]]]
"""The runs that have ended: the tool's id of each, its end, and how to read the rest."""


class Exporter(Collector):
    """Keeps each run that it has read: a counter must not fall when a run is deleted or runs again."""

    def __init__(self, tool: str, ended: Callable[[], Ended]) -> None:
        self.tool, self.ended = tool, ended
        self.runs: dict[tuple[str, datetime], metrics.Run] = {}

    def collect(self) -> Iterator[Metric]:
        for run_id, end, read in self.ended():
            if (run_id, end) not in self.runs or datetime.now(UTC) - end < SETTLED:
                self.runs[run_id, end] = read()
        runs = list(self.runs.values())  # at once: another request may add to them
        yield from metrics.families(self.tool, sorted(runs, key=lambda run: run.ended))


def page(exporter: Exporter) -> bytes:
    """The metrics in Prometheus's text format."""
    return generate_latest(registry_of(exporter))


def registry_of(exporter: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(exporter)
    return registry


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """No line for each request."""


def server_of(exporter: Collector, port: int) -> WSGIServer:
    """A server of the metrics on 127.0.0.1, which answers in the thread that lets it: some clients want just that."""
    return make_server("127.0.0.1", port, make_wsgi_app(registry_of(exporter)), handler_class=Quiet)


def url_of(tool: str, settings: Settings) -> str:
    """Where `serve` shows the metrics of a tool."""
    return f"{servers.url_of(f'{tool}-metrics', settings.home)}/metrics"


@contextmanager
def running(tool: str, settings: Settings) -> Iterator[str]:
    """Run the tool's exporter until the block ends; yields the address of its metrics."""
    servers.port_for(f"{tool}-metrics", settings.home)  # another process may have got the kept one
    url, log = url_of(tool, settings), settings.home / tool / "metrics.log"
    with servers.server([sys.executable, "-m", f"{tool}_impl.metrics"], url, log):
        yield url


def serve(tool: str, ended: Callable[[], Ended]) -> None:
    """Show the metrics on the port that the home keeps for them, until an interrupt."""
    interrupt.while_waiting()
    settings = Settings(tool=tool)
    port = servers.port_for(f"{tool}-metrics", settings.home)
    with server_of(Exporter(tool, ended), port) as server:
        print(f"Metrics of {tool}: {url_of(tool, settings)}   (Ctrl-C stops them)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nThe metrics have stopped.")
