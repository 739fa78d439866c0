"""A pytest plugin that writes what goes on to the file `$TEST_PROGRESS`, a JSON object a line, for tools/test.py."""

import json
import os
from typing import Any

import pytest

COUNTED = ("passed", "failed", "skipped")


def tell(**event: Any) -> None:
    with open(os.environ["TEST_PROGRESS"], "a", encoding="utf-8") as file:  # noqa: PTH123
        file.write(json.dumps(event) + "\n")


def pytest_collection_finish(session: pytest.Session) -> None:
    tell(total=len(session.items))


def pytest_runtest_logstart(nodeid: str) -> None:
    tell(test=nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A test counts once: when its call has ended, or when its set-up or teardown did not pass."""
    if report.when == "call" or not report.passed:
        text = report.longreprtext if report.failed else ""
        tell(ended=report.nodeid, outcome=report.outcome, seconds=round(report.duration, 1), text=text)
