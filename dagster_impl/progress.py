"""A run's progress in the terminal: one line for each stage event and each log line."""

import logging
import sys
import time
from typing import Any

import dagster as dg

SHOWN = {
    dg.DagsterEventType.STEP_SUCCESS: "done",
    dg.DagsterEventType.STEP_UP_FOR_RETRY: "will be tried again",
    dg.DagsterEventType.STEP_FAILURE: "failed",
    dg.DagsterEventType.STEP_SKIPPED: "skipped",
}
NOT_REACHED = "Dependencies for step "
FOR_PROGRAMS = "tool=dagster "


class LineFormatter(logging.Formatter):
    """`11:39:22 batch: started`; Dagster's own lines have the run id, and a stack trace at each failure."""

    def format(self, record: logging.LogRecord) -> str:
        meta = record.__dict__["dagster_meta"]
        event = meta["dagster_event"]
        message = event_message(event) if event else meta["orig_message"]
        return f"{time.strftime('%H:%M:%S')} {meta['step_key'] or meta['job_name']}: {message}"


def event_message(event: dg.DagsterEvent) -> str:
    """A few words for the event, and the error's message."""
    error = getattr(event.event_specific_data, "error", None)
    if error and error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
        return "stopped"
    return SHOWN[event.event_type] + (f": {error_message(error)}" if error else "")


def error_message(error: Any) -> str:
    """What the stage's exception said, without Dagster's wrapping and the name of its class.

    `error` is Dagster's `SerializableErrorInfo`, a type that has no public name.
    """
    while error.cause and error.cls_name and error.cls_name.startswith(("Dagster", "RetryRequested")):
        error = error.cause
    message: str = error.message.strip()
    return message.partition(": ")[2] or message


def is_progress(record: logging.LogRecord) -> bool:
    """Whether a person wants to see the record: Dagster logs many more events than `SHOWN`."""
    meta = record.__dict__["dagster_meta"]
    if event := meta["dagster_event"]:
        return event.event_type in SHOWN
    return record.levelno >= logging.INFO and not meta["orig_message"].startswith((NOT_REACHED, FOR_PROGRAMS))


@dg.logger
def progress(context: dg.InitLoggerContext) -> logging.Logger:
    """One line for each stage event and each log line of the stages."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(LineFormatter())
    handler.addFilter(is_progress)
    logger = logging.Logger("progress")
    logger.addHandler(handler)
    return logger
