"""One trace for all tools: the spans of a run with a retry and a failed candidate are the same, whoever runs it."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared import plain
from shared.runtime import records
from shared.runtime.records import RunRecord
from shared.settings import Settings
from tests.collector import Collector, Span, collector
from tests.conftest import TOOL
from tests.faults import scripted_source
from tests.live.watch import until

pytestmark = pytest.mark.slow

UNKNOWN = "tests.nowhere:nothing"
ONCE = ["run", "run/validate", "run/features", "run/plan", "run/evaluate", "run/deploy"]
GOOD = [f"run/train {origin}:logistic" for origin in ("EWR", "JFK", "LGA")]
BAD = [f"run/train {origin}:{UNKNOWN}" for origin in ("EWR", "JFK", "LGA")]
TREE = {
    **{(name, 1): True for name in ONCE + GOOD},
    **{(f"{name}/fit", 1): True for name in GOOD},
    **{(name, 1): False for name in BAD},
    ("run/ingest", 1): False,  # the source answers 503
    ("run/ingest", 2): True,
}
"""The spans by path and attempt, and whether they ended well."""


def shape(spans: list[Span]) -> dict[tuple[str, int], bool]:
    by_id = {span.id: span for span in spans}

    def path(span: Span) -> str:
        name = span.name.replace("/", ":")
        return f"{path(by_id[span.parent])}/{name}" if span.parent else name

    return {(path(span), span.attributes.get("triptych.attempt", 1)): span.ok for span in spans}


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collector() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")
        yield receiver


def sent(record: RunRecord, receiver: Collector) -> list[Span]:
    """The run's spans, sent as its command sends them: with its record."""
    records.write(record, Settings(tool=record.tool))
    until(lambda: receiver.spans)
    return receiver.spans


def test_run_with_a_retry_and_a_failed_candidate_is_one_trace_in_the_tool(
    both: SimpleNamespace, source: Path, receiver: Collector
) -> None:
    with scripted_source(source, {"flights/2013-06.csv": [503]}) as vendor:
        record = both.tool(source=vendor.url, families=("logistic", UNKNOWN))
    assert record.state == "success", record.error
    spans = sent(record, receiver)
    assert shape(spans) == TREE
    assert len(spans) == len(TREE)
    assert len({span.trace for span in spans}) == 1
    named = {"triptych.tool": TOOL, "triptych.run_id": record.run_id, "triptych.month": "2013-06"}
    assert not [span for span in spans if span.name != "fit" and not named.items() <= span.attributes.items()]
    failed = [span for span in spans if not span.ok]
    assert [span.events for span in failed] == [["exception"]] * len(failed)


@pytest.mark.usefixtures("home")
def test_plain_run_is_the_same_trace_but_for_the_retry(source: Path, receiver: Collector) -> None:
    settings = Settings(tool="plain", source=str(source), min_rows=100, families=("logistic", UNKNOWN))
    spans = sent(plain.run("2013-06", settings), receiver)
    expected = {name: ok for name, ok in TREE.items() if name != ("run/ingest", 2)}
    assert shape(spans) == expected | {("run/ingest", 1): True}


def test_failed_run_has_its_error_in_the_trace(both: SimpleNamespace, receiver: Collector) -> None:
    record = both.tool(families=(UNKNOWN,))
    root, *_ = [span for span in sent(record, receiver) if not span.parent]
    assert record.state == "failed"
    assert (root.name, root.ok) == ("run", False)


@pytest.mark.usefixtures("home")
def test_run_without_a_server_leaves_no_trace(both: SimpleNamespace) -> None:
    record = both.tool(families=("logistic",))
    settings = Settings(tool=TOOL)
    records.write(record, settings)
    assert record.state == "success"
    assert not (settings.home / "traces").exists()
