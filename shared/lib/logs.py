"""One log line for each stage that ends, as `name=value` pairs (logfmt): found again by them in each tool's own log."""

import json
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger("triptych")


@contextmanager
def stage_line(**which: str) -> Iterator[None]:
    """Log how the block, a stage, has ended: `which` instance it was, its state and its seconds."""
    began, state = time.monotonic(), "failed"
    try:
        yield
        state = "success"
    finally:
        log.info(line(**which, state=state, seconds=f"{time.monotonic() - began:.1f}"))


def line(**fields: str) -> str:
    """`stage=train key=EWR/logistic`: a value with a space, a quote or an equals sign in quotes, and no empty one."""
    quoted = {name: json.dumps(value) if re.search(r'[\s"=]', value) else value for name, value in fields.items()}
    return " ".join(f"{name}={value}" for name, value in quoted.items() if value)
