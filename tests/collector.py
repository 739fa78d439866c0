"""An OpenTelemetry collector of the tests' own, on loopback: it keeps the spans it gets, or answers nobody."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Span(NamedTuple):
    """What the tests look at in a span; ids are hexadecimal, times nanoseconds, `parent` is empty for a root."""

    trace: str
    id: str
    parent: str
    name: str
    attributes: dict[str, Any]
    ok: bool
    events: list[str]
    started: int
    ended: int


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP in protobuf; if it hangs, it accepts connections and says nothing until it is closed."""

    daemon_threads = True

    def __init__(self, hangs: bool = False) -> None:
        self.hangs, self.closing = hangs, threading.Event()
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), Receive)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def stop(self) -> None:
        """From now on connections are refused."""
        self.closing.set()
        self.shutdown()
        self.thread.join()
        self.server_close()

    @property
    def variables(self) -> dict[str, str]:
        """What tells OpenTelemetry to send to it."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def spans(self) -> list[Span]:
        """All spans so far, in the order of their start."""
        requests = [ExportTraceServiceRequest.FromString(body) for path, _, body in self.requests if "traces" in path]
        return sorted(
            (
                read(span)
                for request in requests
                for resource in request.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            ),
            key=lambda span: span.started,
        )


def read(span: Any) -> Span:
    attributes = {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    events = [event.name for event in span.events]
    times = (span.start_time_unix_nano, span.end_time_unix_nano)
    return Span(*ids, span.name, attributes, span.status.code != span.status.STATUS_CODE_ERROR, events, *times)


def tree(spans: list[Span], parent: str = "") -> list[Any]:
    """The spans as names, each with what is under it: ["run", ["ingest", "train EWR/logistic", ["fit"]]]."""
    names: list[Any] = []
    for span in spans:
        if span.parent == parent:
            under = tree(spans, span.id)
            names += [span.name, under] if under else [span.name]
    return names


def outline(spans: list[Span], parent: str = "") -> str:
    """The same in words: run (ingest, train EWR/logistic (fit))."""
    under = [(span.name, outline(spans, span.id)) for span in spans if span.parent == parent]
    return ", ".join(f"{name} ({inside})" if inside else name for name, inside in under)


class Receive(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        if self.server.hangs:
            self.server.closing.wait()
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.requests.append((self.path, dict(self.headers), body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextmanager
def collector(hangs: bool = False) -> Iterator[Collector]:
    """Run a collector until the block ends."""
    server = Collector(hangs)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def at_mlflows_address(home: Path) -> Iterator[Collector]:
    """Run a collector where the home's processes expect MLflow's web UI: no variable can reach them once they run."""
    with collector() as receiver:
        (home / "ports").mkdir(exist_ok=True)
        (home / "ports" / "mlflow").write_text(str(receiver.server_port))
        yield receiver


def answers(spans: list[Span], run: str, tasks: list[str]) -> dict[str, Any]:
    """What scenario O2 asks of the spans, if those of the run and of its tasks have these names."""
    by_name, by_id = {span.name: span for span in spans}, {span.id: span for span in spans}
    root, found, fit = by_name.get(run), [by_name[task] for task in tasks if task in by_name], by_name.get("fit")
    above = [fit] if fit else []
    while above and above[-1].parent in by_id:
        above.append(by_id[above[-1].parent])
    return {
        "run_span": root is not None,
        "task_spans": root is not None and [span.parent for span in found] == [root.id] * len(tasks),
        "inside": tasks[1] in [span.name for span in above],
        "one_trace": root is not None and {span.trace for span in [*found, *above]} == {root.trace},
        "spans": outline(spans) or "none",
    }
