"""How a stage's work ends within a step: by a result, by a fault, or by an interrupt."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import dagster as dg

from shared.contracts import TransientError
from shared.lib import stage as stages
from shared.runtime import interrupt

# No asset or op bears it: a step's own policy would be handed an interrupt as if it were a fault, and the run would go
# on. It would also retry every exception; so the delays are taken from it, and what may succeed later asks for them.
RETRIES = dg.RetryPolicy(max_retries=3, delay=1, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@contextmanager
def stage() -> Iterator[None]:
    """Have the step tried again after a TransientError, and the run canceled at an interrupt; all else fails it."""
    context = dg.OpExecutionContext.get()
    with interrupted_once():
        try:
            yield
        except TransientError as error:
            if context.retry_number >= RETRIES.max_retries:
                raise
            raise dg.RetryRequested(RETRIES.max_retries, RETRIES.calculate_delay(context.retry_number + 1)) from error
        except dg.DagsterExecutionInterruptedError:
            cancel(context.run_id, context.instance)
            raise


@contextmanager
def interrupted_once() -> Iterator[None]:
    """Raise the first interrupt only: Dagster would raise a second one in the midst of a rollback."""

    def first(number: int, frame: FrameType | None) -> None:
        for each in interrupt.SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise dg.DagsterExecutionInterruptedError

    before = {number: signal.signal(number, first) for number in interrupt.SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def cancel(run_id: str, instance: dg.DagsterInstance) -> None:
    """Tell Dagster that the interrupt was meant: otherwise the run counts as crashed, and its daemon starts it anew."""
    run = instance.get_run_by_id(run_id)
    if run and run.status == dg.DagsterRunStatus.STARTED:
        instance.report_run_canceling(run, "The run was interrupted.")


def instance() -> stages.Instance:
    """What the log and a trace call the instance of this step."""
    context = dg.OpExecutionContext.get()
    return stages.Instance(context.run_id, context.run.tags.get("dagster/partition", ""), context.retry_number + 1)


stages.instances["dagster"] = instance
