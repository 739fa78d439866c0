"""The message that a webhook gets about a run that has failed or is late: the same from each tool.

`TRIPTYCH_ALERT_URL` names the webhook; without it no tool sends anything. A run is late after `TRIPTYCH_ALERT_AFTER`
seconds, an hour if that is not set.
"""

import logging
import os
from datetime import timedelta
from typing import Literal

from shared.contracts import Contract

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5


class Alert(Contract):
    """What is sent, as JSON; null is what the tool does not know. `url` leads to the failed stage in the tool's UI."""

    tool: str
    event: Literal["failed", "late"]
    run_id: str
    url: str
    month: str | None = None
    stage: str | None = None
    key: str | None = None
    error: str | None = None


def url() -> str:
    """The webhook's URL; empty if there is none."""
    return os.environ.get("TRIPTYCH_ALERT_URL", "")


def late_after() -> timedelta:
    """How long a run may take."""
    return timedelta(seconds=float(os.environ.get("TRIPTYCH_ALERT_AFTER", 3600)))


def send(alert: Alert) -> None:
    """Post the alert to the webhook. One that does not take it is logged, and changes nothing about the run.

    The log does not name the webhook: who knows its URL may post to it.
    """
    if problem := problem_of(alert):
        log.error("no alert of run %s, %s: the webhook %s", alert.run_id, alert.event, problem)


def problem_of(alert: Alert) -> str:
    """Why the webhook did not take the alert; empty if it did."""
    import httpx  # not needed without a webhook

    try:
        response = httpx.post(url(), json=alert.model_dump(), timeout=TIMEOUT_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"could not be reached ({type(error).__name__}); look at TRIPTYCH_ALERT_URL"
    return "" if response.is_success else f"answered {response.status_code}, expected 200"
