"""The end of a run's trace: the span of the run itself joins those of its stages, and all are sent over OTLP."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from shared.lib import ports, tracing
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.runtime.records import RunRecord

KNOCK = 0.03  # of the run's own time, and at least LEAST seconds: what an empty request may take
LEAST = 0.25
SECONDS = 10.0  # how long a server that has answered may take for the spans
PROTOBUF = "application/x-protobuf"

log = logging.getLogger(__name__)


def end(record: RunRecord, settings: Settings) -> None:
    """Send the run's trace; nothing if no stage was traced, or another process does it already.

    Returns at once: a thread sends, for which the process waits at its end.
    """
    spans = tracing.file_of(record.run_id, settings)
    try:
        file = spans.rename(spans.with_suffix(".otlp"))
    except FileNotFoundError:
        return
    add_run(file, record)
    if url := tracing.endpoint(settings):
        Thread(target=send, args=[file, url, record, settings]).start()


def add_run(file: Path, record: RunRecord) -> None:
    """Append the span of the run itself, with its times and its error by the tool's own record."""
    from shared.lib import spans

    attributes = tracing.run_attributes(record.run_id, record.month, record.tool)
    traceparent = tracing.traceparent(record.tool, record.run_id)
    spans.add_root(file, traceparent, attributes, record.started, record.ended, record.error)


def send(file: Path, url: str, record: RunRecord, settings: Settings) -> None:
    """Send the spans and delete the file; if that can't be done, log one line, and keep it.

    An empty request goes first, so that a server that hangs costs the run no more than a small part of its own time.
    """
    import httpx  # takes a while to load

    asked = os.environ.get("OTEL_EXPORTER_OTLP_TIMEOUT")
    knock = float(asked) if asked else max(LEAST, KNOCK * (record.ended - record.started).total_seconds())
    ours = url.startswith(f"{ports.url_of('mlflow', settings.home)}/")
    headers = mlflow_headers(record, settings) if ours else headers_asked_for()
    try:
        with httpx.Client(headers={"content-type": PROTOBUF, **headers}, trust_env=not ours) as client:
            client.post(url, timeout=knock)
            client.post(url, content=file.read_bytes(), timeout=SECONDS).raise_for_status()
        file.unlink()
    except httpx.HTTPError as error:
        log.warning("the run's trace is kept in %s: %s did not take it (%s)", file, url, error or type(error).__name__)


def headers_asked_for() -> dict[str, str]:
    """What OpenTelemetry's variables say, such as `authorization=…`."""
    from opentelemetry.util.re import parse_env_headers

    variables = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
    asked = next(filter(None, map(os.environ.get, variables)), "")
    return dict(parse_env_headers(asked, liberal=True))


def mlflow_headers(record: RunRecord, settings: Settings) -> dict[str, str]:
    """The experiment and the run with which MLflow shows the trace."""
    from shared.lib import tracking

    run = {"x-mlflow-run-id": record.tracking.run_id} if record.tracking else {}
    return {"x-mlflow-experiment-id": tracking.experiment_id(settings), **run}
