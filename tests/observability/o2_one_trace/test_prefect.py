"""Prefect opens spans of flow and task runs, and sends none until somebody sets up OpenTelemetry's SDK."""

from pathlib import Path

from opentelemetry import trace
from prefect import flow, task

from tests.observability.o2_one_trace.run import observe
from tests.scenario import Scenario

TASKS = ["first", "second", "third"]


@task(task_run_name="first")
def first() -> None:
    pass


@task(task_run_name="second")
def second() -> None:
    with trace.get_tracer(__name__).start_as_current_span("fit"):
        pass


@task(task_run_name="third")
def third() -> None:
    pass


@flow(flow_run_name="run")
def obvious() -> None:
    first()
    second()
    third()


def idiom() -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=1)))
    trace.set_tracer_provider(provider)
    obvious()


def test_o2_one_trace(results: Path, scenario: Scenario) -> None:
    plain = observe(obvious, "run", TASKS)
    set_up = observe(idiom, "run", TASKS)
    scenario.obvious(obvious, first, second, third, **plain)
    scenario.idiom(idiom, first, second, third, **set_up)
    scenario.finding(
        f"Prefect opens a span for each flow and task run: with OpenTelemetry's variables alone it sent "
        f"{plain['spans']}, with a tracer provider, which opentelemetry-instrument sets up too, {set_up['spans']}. A "
        f"thread sends while the tasks run, and its process waits for it at the end: with a time-out of 1 s for the "
        f"exporter a dead endpoint added {set_up['added']} s for each task."
    )
