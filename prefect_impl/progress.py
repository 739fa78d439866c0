"""What the terminal shows of Prefect's own log lines."""

import logging
import re

from shared.runtime import interrupt

HOOK = re.compile(r"^(Running h|H)ook ")
ENDED_BADLY = re.compile(r"^(Finished in state (Failed|Crashed))\(.*", re.DOTALL)


def filter_terminal() -> None:
    """Filter what the handlers of the root logger print, which Prefect has set up when it was imported."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(is_shown)


def is_shown(record: logging.LogRecord) -> bool:
    """Whether the line is printed: no traceback, nothing about an interrupt, and an error only where it belongs.

    The summary has the error that sinks the run; the line of a candidate has the error that sinks the candidate.
    """
    message = record.getMessage()
    if record.name == "triptych":  # for programs
        return False
    if interrupt.noticed.is_set() or record.exc_info or HOOK.match(message):
        return "- Retry " in message
    if getattr(record, "task_name", "") != "train":
        record.msg, record.args = ENDED_BADLY.sub(r"\1", message), ()
    return True
