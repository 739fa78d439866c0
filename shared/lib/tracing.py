"""Traces: each run is one, from the run through every stage instance to `fit` (docs/adr/0010-traces.md).

A stage appends its spans to a file of its run, whichever process it is in; shared/runtime/trace.py sends the file when
the run has ended, so that no stage ever waits for a server. Off, and nothing loaded, unless a server is known.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from shared.lib import ports
from shared.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

TRACER: ContextVar["Tracer | None"] = ContextVar("tracer", default=None)
"""The tracer of the stage that this context is in."""


def endpoint(settings: Settings) -> str | None:
    """The URL that traces go to: what OpenTelemetry's variables say, else MLflow's if its UI is up, else None."""
    if url := os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        return url
    base = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if not base and ports.is_up("mlflow", settings.home):
        base = ports.url_of("mlflow", settings.home)
    return f"{base.rstrip('/')}/v1/traces" if base else None


def traceparent(tool: str, run_id: str) -> str:
    """The W3C trace context of the run's own span: each process works it out from the id that its tool hands on."""
    digest = hashlib.sha256(f"{tool} {run_id}".encode()).hexdigest()
    return f"00-{digest[:32]}-{digest[32:48]}-01"


def file_of(run_id: str, settings: Settings) -> Path:
    """Where the spans of a run are until it has ended."""
    return settings.home / "traces" / settings.tool / f"{run_id}.spans"


def run_attributes(run_id: str, month: str, tool: str) -> dict[str, str]:
    return {"triptych.tool": tool, "triptych.run_id": run_id, "triptych.month": month}


@contextmanager
def stage_span(name: str, key: str, run_id: str, month: str, attempt: int, settings: Settings) -> Iterator[None]:
    """A span under the run's: `ingest`, or with the candidate's key `train EWR/logistic`; nothing if traces are off."""
    if not endpoint(settings):
        yield
        return
    from shared.lib import spans

    attributes: dict[str, str | int] = {"triptych.stage": name, "triptych.attempt": attempt}
    attributes |= run_attributes(run_id, month, settings.tool) | ({"triptych.key": key} if key else {})
    parent = spans.context(traceparent(settings.tool, run_id))
    tracer = spans.tracer(file_of(run_id, settings))
    token = TRACER.set(tracer)
    try:
        with spans.span(tracer, f"{name} {key}" if key else name, attributes, parent):
            yield
    finally:
        TRACER.reset(token)


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[None]:
    """A span within a stage's; nothing if the stage is not traced."""
    tracer = TRACER.get()
    if tracer is None:
        yield
        return
    from shared.lib import spans

    with spans.span(tracer, name, {f"triptych.{attribute}": value for attribute, value in attributes.items()}):
        yield
