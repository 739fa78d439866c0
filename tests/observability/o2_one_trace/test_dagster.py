"""Dagster has no spans of its own; what is in a step opens a trace of its own, if somebody sets up the SDK."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from opentelemetry import context, trace
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from tests.observability.o2_one_trace.run import observe
from tests.scenario import Scenario

TASKS = ["first", "second", "third"]


@dg.op
def first() -> int:
    return 1


@dg.op
def second(number: int) -> int:
    with trace.get_tracer(__name__).start_as_current_span("fit"):
        return number


@dg.op
def third(number: int) -> None:
    pass


@dg.job
def job() -> None:
    third(second(first()))


def obvious() -> None:
    job.execute_in_process()


class IdsOfTheRun(RandomIdGenerator):
    """Gives the run's span the ids that its steps, which end before it, have named as those of their parent."""

    def generate_trace_id(self) -> int:
        return run_ids(run_id)[0] if (run_id := context.get_value("run_id")) else super().generate_trace_id()

    def generate_span_id(self) -> int:
        return run_ids(run_id)[1] if (run_id := context.get_value("run_id")) else super().generate_span_id()


def run_ids(run_id: object) -> tuple[int, int]:
    digest = hashlib.sha256(f"{run_id}".encode()).hexdigest()
    return int(digest[:32], 16), int(digest[32:48], 16)


@contextmanager
def span_of(step: dg.OpExecutionContext) -> Iterator[None]:
    known = trace.SpanContext(*run_ids(step.run_id), is_remote=True, trace_flags=trace.TraceFlags(1))
    parent = trace.set_span_in_context(trace.NonRecordingSpan(known))
    with trace.get_tracer(__name__).start_as_current_span(step.op.name, parent):
        yield


@dg.op(name="first")
def first_traced(context: dg.OpExecutionContext) -> int:
    with span_of(context):
        return 1


@dg.op(name="second")
def second_traced(context: dg.OpExecutionContext, number: int) -> int:
    with span_of(context), trace.get_tracer(__name__).start_as_current_span("fit"):
        return number


@dg.op(name="third")
def third_traced(context: dg.OpExecutionContext, number: int) -> None:
    with span_of(context):
        pass


@dg.job
def traced_job() -> None:
    third_traced(second_traced(first_traced()))


def idiom() -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(id_generator=IdsOfTheRun())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=1)))
    trace.set_tracer_provider(provider)
    result = traced_job.execute_in_process()
    token = context.attach(context.set_value("run_id", result.run_id))
    trace.get_tracer(__name__).start_span("run", context.Context()).end()
    context.detach(token)


def test_o2_one_trace(scenario: Scenario) -> None:
    plain, traced = observe(obvious, "run", TASKS), observe(idiom, "run", TASKS)
    scenario.obvious(obvious, job, first, second, third, **plain)
    scenario.idiom(
        idiom, traced_job, first_traced, second_traced, third_traced,
        own_code="spans around each step and for the run, with ids made from the run's id", **traced,
    )  # fmt: skip
    scenario.finding(
        f"Dagster has no OpenTelemetry (its issue 12353 is open), and sent {plain['spans']}. With spans of one's own "
        f"around each step, and ids that each process makes from the run's id, it sent {traced['spans']}; with the "
        f"exporter's time-out of 1 s a dead endpoint added {traced['added']} s for each step."
    )
