"""What is tried again: only what may succeed later."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from shared.contracts import TransientError

RETRIES = dg.RetryPolicy(max_retries=3, delay=1, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@contextmanager
def only_transient() -> Iterator[None]:
    """Let the retry policy see a TransientError only: it would retry every exception but this `Failure`."""
    try:
        yield
    except TransientError:
        raise
    except Exception as error:
        raise dg.Failure(str(error) or type(error).__name__, allow_retries=False) from error


def is_retried(error: Exception, context: dg.OpExecutionContext) -> bool:
    """Whether raising the error gets the op another attempt."""
    return isinstance(error, TransientError) and context.retry_number < RETRIES.max_retries
