"""Takes OTLP metrics and shows them to Prometheus, as the OpenTelemetry Collector does, of which Debian has no package.

Prometheus 3 takes OTLP itself; Debian 12 has Prometheus 2.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from wsgiref.simple_server import make_server

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import Metric

from shared.runtime.exporter import Quiet


class Received:
    """The last value of each series that has come."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, str], dict[tuple[tuple[str, str], ...], Any]] = {}

    def take(self, body: bytes) -> None:
        request = ExportMetricsServiceRequest.FromString(body)
        for metric in (m for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics):
            kind = metric.WhichOneof("data")
            for point in getattr(metric, kind).data_points:
                labels = tuple(sorted((safe(each.key), each.value.string_value) for each in point.attributes))
                self.series.setdefault((safe(metric.name), kind), {})[labels] = point

    def collect(self) -> Iterator[Metric]:
        for (name, kind), points in self.series.items():
            shown = Metric(name, name, {"sum": "counter", "gauge": "gauge"}.get(kind, "summary"))
            for labels, point in points.items():
                if shown.type == "summary":  # of a histogram
                    shown.add_sample(f"{name}_count", dict(labels), point.count)
                    shown.add_sample(f"{name}_sum", dict(labels), point.sum)
                else:
                    end = "_total" if kind == "sum" else ""
                    shown.add_sample(f"{name}{end}", dict(labels), point.as_double or point.as_int)
            yield shown


def safe(name: str) -> str:
    """The name as Prometheus allows it."""
    return re.sub(r"\W", "_", name)


@contextmanager
def collecting() -> Iterator[str]:
    """Take what is posted, and show it under `/metrics`, until the block ends; yields the address."""
    received, registry = Received(), CollectorRegistry()
    registry.register(received)
    page = make_wsgi_app(registry)

    def app(request: dict[str, Any], start: Any) -> Any:
        if request["REQUEST_METHOD"] == "GET":
            return page(request, start)
        received.take(request["wsgi.input"].read(int(request["CONTENT_LENGTH"])))
        start("200 OK", [])
        return [b""]

    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
