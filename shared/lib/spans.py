"""Spans that go to a file: what needs OpenTelemetry's SDK, and is loaded only when traces are on.

Such a file is one OTLP request: protobuf merges messages that follow each other, so each process just appends its own.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanContext, Status, StatusCode, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


class ToFile(SpanExporter):
    """Appends spans to a file; a full disk loses them, but fails no stage."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("ab") as file:
                file.write(encode_spans(spans).SerializeToString())
        except OSError:
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS


class KnownIds(IdGenerator):
    """Gives a new span the ids that others have named already as those of their parent."""

    def __init__(self, known: SpanContext) -> None:
        self.known = known

    def generate_trace_id(self) -> int:
        return self.known.trace_id

    def generate_span_id(self) -> int:
        return self.known.span_id


def tracer(file: Path, ids: IdGenerator | None = None) -> Tracer:
    """A tracer whose spans go to the file; the global one, which the tools and MLflow use, stays as it is."""
    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "triptych")})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False, id_generator=ids)
    provider.add_span_processor(SimpleSpanProcessor(ToFile(file)))
    return provider.get_tracer("triptych")


def context(traceparent: str) -> Context:
    """A parent for spans, from its W3C trace context."""
    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})


@contextmanager
def span(
    tracer: Tracer, name: str, attributes: Mapping[str, str | int], parent: Context | None = None
) -> Iterator[None]:
    """A span around the block; its status is OK, or an error with the exception that has left the block."""
    with tracer.start_as_current_span(name, parent, attributes=attributes) as current:
        yield
        current.set_status(StatusCode.OK)


def add_root(
    file: Path, traceparent: str, attributes: Mapping[str, str], started: datetime, ended: datetime, error: str | None
) -> None:
    """Append the span `run`, whose ids the context gives; it failed if there is an error."""
    known = get_current_span(context(traceparent)).get_span_context()
    run = tracer(file, KnownIds(known)).start_span(
        "run", Context(), attributes=attributes, start_time=nanoseconds(started)
    )
    run.set_status(Status(StatusCode.ERROR, error) if error else Status(StatusCode.OK))
    run.end(nanoseconds(ended))


def nanoseconds(time: datetime) -> int:
    """Since 1970, to the microsecond."""
    return int(time.timestamp() * 1e6) * 1000
