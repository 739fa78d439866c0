"""Each stage that ends leaves one log line, which can be taken apart again."""

import logging
from collections.abc import Iterator
from logging.handlers import BufferingHandler

import hypothesis.strategies as st
import pytest
from hypothesis import given

from shared.contracts import PermanentError
from shared.lib.logs import line
from shared.lib.stage import Instance, instances
from shared.settings import Settings
from shared.stages.ingest import ingest
from tests.logs import fields


@given(st.dictionaries(st.from_regex(r"[a-z]+", fullmatch=True), st.text(min_size=1)))
def test_line_can_be_taken_apart(values: dict[str, str]) -> None:
    assert fields(line(**values)) == values


@pytest.fixture
def kept() -> Iterator[BufferingHandler]:
    """The log lines for programs; not `caplog`, whose handler hides them once Prefect has filtered the terminal."""
    handler, log = BufferingHandler(100), logging.getLogger("triptych")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler
    log.setLevel(level)
    log.removeHandler(handler)


@pytest.mark.parametrize(("month", "state"), [("2013-02", "success"), ("2013-09", "failed")])
def test_stage_that_ends_logs_a_line(
    month: str, state: str, settings: Settings, kept: BufferingHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(instances, "plain", lambda: Instance("run 7", month, attempt=1))
    try:
        ingest(month, settings)
    except PermanentError:
        assert state == "failed"
    (record,) = kept.buffer
    found = fields(record.getMessage())
    assert float(found.pop("seconds")) >= 0
    assert found == {"tool": "plain", "run": "run 7", "stage": "ingest", "month": month, "state": state}
