"""Traces are off until a server is known; then stages write their spans to a file, which is sent at the run's end."""

import logging
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from shared.contracts import Candidate
from shared.lib import ports, stage, tracing
from shared.runtime import records, trace
from shared.runtime.records import RunRecord
from shared.runtime.servers import free_port
from shared.settings import ROOT, Settings
from tests.collector import Collector, collector, tree
from tests.live.watch import until

EWR = Candidate(origin="EWR", family="logistic")
OFF = """
import sys
from shared.lib import stage, tracing
from shared.settings import Settings
from shared.stages.ingest import ingest
stage.instances["plain"] = lambda: stage.Instance("one", "2013-05", 1)
ingest("2013-05", Settings(source=sys.argv[1]))
print("shared.lib.spans" in sys.modules)
"""


@stage.stage
def ingest(month: str, settings: Settings) -> None:
    """Like a stage."""


@stage.stage
def train(candidate: Candidate, settings: Settings) -> None:
    with tracing.span("fit", rows=7):
        raise ValueError(f"{candidate.key} can't be fitted")


def record(seconds: float = 20) -> RunRecord:
    started = datetime(2026, 1, 1, tzinfo=UTC)
    fields = {"tool": "plain", "tool_version": "1", "month": "2013-06", "run_id": "one", "state": "success"}
    ended = started + timedelta(seconds=seconds)
    empty = {"inputs": {}, "stages": [], "evaluation": None, "champion": None, "tracking": None, "error": None}
    return RunRecord.model_validate({**fields, "started": started, "ended": ended, **empty})


@pytest.fixture(autouse=True)
def _tool(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(stage.instances, "plain", lambda: stage.Instance("one", "2013-06", 1))


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collector() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")
        yield receiver


def test_trace_context_is_of_w3c_and_the_same_in_every_process() -> None:
    code = "from shared.lib.tracing import traceparent; print(traceparent('airflow', 'one'))"
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    assert tracing.traceparent("airflow", "one") == other
    assert [len(part) for part in other.split("-")] == [2, 32, 16, 2]
    assert tracing.traceparent("prefect", "one") != other != tracing.traceparent("airflow", "two")


def test_without_a_server_nothing_is_loaded_and_nothing_written(source: Path, settings: Settings) -> None:
    done = subprocess.run([sys.executable, "-c", OFF, str(source)], cwd=ROOT, capture_output=True, text=True)

    assert done.stdout.strip() == "False", done.stderr
    assert settings.store.exists()
    assert not (settings.home / "traces").exists()


def test_spans_of_all_processes_are_one_trace_under_the_run(receiver: Collector, settings: Settings) -> None:
    processes = [multiprocessing.get_context("fork").Process(target=ingest, args=("2013-06", settings)) for _ in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    with pytest.raises(ValueError, match="can't be fitted"):
        train(EWR, settings)

    records.write(record(), settings)

    until(lambda: receiver.spans)
    assert tree(receiver.spans) == ["run", ["ingest", "ingest", "train EWR/logistic", ["fit"]]]
    assert len({span.trace for span in receiver.spans}) == 1
    run, *_, trained, fit = receiver.spans
    named = {"triptych.tool": "plain", "triptych.run_id": "one", "triptych.month": "2013-06"}
    assert run.attributes == named
    assert run.ended - run.started == 20e9
    stage = {"triptych.stage": "train", "triptych.key": "EWR/logistic", "triptych.attempt": 1}
    assert trained.attributes == named | stage
    assert fit.attributes == {"triptych.rows": 7}
    assert [span.ok for span in (run, trained, fit)] == [True, False, False]
    assert [span.events for span in (run, trained, fit)] == [[], ["exception"], ["exception"]]
    until(lambda: not list((settings.home / "traces").rglob("*.*")))


def test_endpoint_and_headers_are_those_of_opentelemetrys_variables(
    receiver: Collector, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{receiver.url}/elsewhere/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20secret")
    ingest("2013-06", settings)

    trace.end(record(), settings)

    until(lambda: receiver.spans)
    path, headers, _ = receiver.requests[-1]
    assert path == "/elsewhere/v1/traces"
    assert headers["authorization"] == "Bearer secret"


def test_server_of_the_web_ui_gets_the_traces_if_no_other_is_named(settings: Settings) -> None:
    assert tracing.endpoint(settings) is None
    with collector() as mlflow:
        ports.url_of("mlflow", settings.home)
        (settings.home / "ports" / "mlflow").write_text(str(mlflow.server_port))
        assert tracing.endpoint(settings) == f"{mlflow.url}/v1/traces"
    assert tracing.endpoint(settings) is None


def test_run_is_sent_once_though_its_record_is_written_twice(receiver: Collector, settings: Settings) -> None:
    ingest("2013-06", settings)

    for _ in range(2):
        records.write(record(), settings)

    until(lambda: receiver.spans)
    assert [span.name for span in receiver.spans] == ["run", "ingest"]
    assert len(receiver.requests) == 2  # with the empty one before


def test_refusing_server_is_told_in_one_line_and_the_kept_file_can_be_sent_as_it_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    ingest("2013-06", settings)
    with caplog.at_level(logging.INFO):
        trace.end(record(), settings)
        until(lambda: caplog.messages)

    (line,) = caplog.messages
    kept = settings.home / "traces" / "plain" / "one.otlp"
    assert str(kept) in line
    assert "Connection refused" in line
    with collector() as receiver:
        httpx.post(f"{receiver.url}/v1/traces", content=kept.read_bytes(), trust_env=False).raise_for_status()
        assert tree(receiver.spans) == ["run", ["ingest"]]


def test_hanging_server_costs_a_small_part_of_the_runs_own_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ran = record(seconds=60)
    with collector(hangs=True) as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        began = time.monotonic()
        ingest("2013-06", settings)
        trace.end(ran, settings)
        until(lambda: caplog.messages)
        seconds = time.monotonic() - began

    assert 1 < seconds < 3  # 3% of a minute, and what a busy machine needs
    assert "did not take it" in caplog.messages[0]
