"""The parts of the page that compute something: sentences and code as HTML, words, versions and time lines."""

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from page import prose, stages, timeline, versions
from page.code import Extract
from page.glossary import Term
from shared.runtime.records import RunRecord, StageRecord, in_order, path_of
from shared.settings import ROOT
from tools import demo, scenarios
from tools.scenarios import TOOLS, VERSIONS

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ASSET = Term("asset", "A thing that lasts.", "asset", "asset", "asset", ["asset", "asset event", "inlets"])


def test_sentence_is_escaped_and_has_code_and_each_term_linked_once() -> None:
    html = prose.with_terms("An asset < `inlets`, an asset event, assets", [ASSET], root="../")
    link = '<a class="term" href="../glossary.html#asset" title="A thing that lasts.">asset</a>'
    assert html == f"An {link} &lt; <code>inlets</code>, an asset event, assets"
    assert prose.with_terms("plain", []) == "plain"


def test_code_has_a_span_for_each_line_with_its_indent() -> None:
    html = prose.code('def f():\n    """Long\n\n    text."""\n', first_line=40)
    assert 'style="--before:39"' in html
    assert re.findall(r"--indent:(\d+)", html) == ["0", "4", "0", "4"]
    assert re.sub(r"<[^>]*>", "", html).splitlines() == ["def f():", '"""Long', " ", 'text."""']


def test_new_words_are_those_that_the_code_uses_and_no_comment_or_variable() -> None:
    code = [Extract("a.py", 1, '@task(inlets=[asset])\ndef f():\n    """asset event"""\n    asset = 1  # asset', "f")]
    seen: set[str] = set()
    assert stages.new_words(code, [ASSET], seen) == {"inlets": ASSET}
    assert stages.new_words(code, [ASSET], seen) == {}


def test_what_holds_for_all_stages_is_constants_functions_and_the_head_of_the_flow() -> None:
    code = {extract.qualname: extract.text for extract in stages.once("prefect")}
    assert list(code) == ["is_transient", "RETRIES", "late_flights"]
    assert code["RETRIES"].startswith('RETRIES = {\n    "retries": 3,')
    assert code["late_flights"].startswith("@flow(")
    assert "ingest(" not in code["late_flights"]
    with pytest.raises(ValueError, match=r"prefect_impl/pipeline\.py has no NOTHING at its top level"):
        stages.top_level("prefect_impl/pipeline.py", "NOTHING")


def test_code_of_a_version_is_all_that_its_test_records_and_what_that_uses(tmp_path: Path) -> None:
    test = ROOT / "tests" / "retries" / "r4_hung_task" / "test_dagster.py"
    place = "tests/retries/r4_hung_task/test_dagster.py:wait"
    names = [extract.qualname for extract in versions.code_of(place, test, "obvious")]
    assert names == ["wait", "call_c", "r4_obvious_wait", "r4_obvious_call_c"]
    with pytest.raises(ValueError, match=r"has no nothing, which docs/evidence\.json names"):
        versions.code_of("tests/retries/r4_hung_task/test_dagster.py:nothing", test, "obvious")


def test_every_recorded_version_has_code() -> None:
    for scenario in scenarios.scenarios():
        for tool, cell in scenarios.kept().get(scenario.id, {}).items():
            for version in VERSIONS:
                assert version not in cell or versions.code_of(cell[version]["code"], scenario.test(tool), version)


def record(tool: str = "plain") -> RunRecord:
    """A run of 10 s: ingest begins after 1 s, and of two trainings, which could begin after 4 s, one after 6 s."""
    times = {"ingest": (1, 2), "validate": (2, 3), "features": (3, 3.5), "plan": (3.5, 4), "evaluate": (8, 10)}
    instances = [(stage, None, *span) for stage, span in times.items()]
    instances += [("train", "EWR/a", 4, 6), ("train", "EWR/b", 6, 8)]
    ran = [
        StageRecord(stage=stage, key=key, state="success", attempts=2 if key == "EWR/b" else 1, **at(start, end))
        for stage, key, start, end in instances
    ]
    return RunRecord(
        tool=tool, tool_version="1", month="2013-06", run_id="r", state="success", **at(0, 10), inputs={},
        stages=in_order(ran), evaluation=None, champion=None, tracking=None, error=None,
    )  # fmt: skip


def at(start: float, end: float) -> dict[str, datetime]:
    return {"started": BEGAN + timedelta(seconds=start), "ended": BEGAN + timedelta(seconds=end)}


def test_time_line_shows_waiting_attempts_and_what_was_skipped() -> None:
    (lane,) = timeline.timeline("2013-06", [record()]).lanes
    bars = {bar.label: bar for bar in lane.bars}
    assert list(bars) == ["ingest", "validate", "features", "plan", "EWR/a", "EWR/b", "evaluate", "deploy"]

    def seconds(bar: timeline.Bar) -> list[float]:
        return [round((x - timeline.LABELS) / timeline.PLOT * 10, 3) for x in (bar.ready, bar.start, bar.end)]

    assert seconds(bars["ingest"]) == [0, 1, 2]
    assert seconds(bars["EWR/a"]) == [4, 4, 6]
    assert seconds(bars["EWR/b"]) == [4, 6, 8]
    assert bars["EWR/b"].told == "waited 2.00 s, ran 2.00 s, 2 attempts"
    assert (bars["deploy"].state, bars["deploy"].told) == ("skipped", "skipped, not run")


def test_runs_of_a_month_share_one_axis() -> None:
    slow = record("airflow").model_copy(update={"ended": BEGAN + timedelta(seconds=20)})
    both = timeline.timeline("2013-06", [record(), slow])
    ends = [lane.bars[0].end for lane in both.lanes]
    assert ends[0] == ends[1]
    assert both.ticks[-1] == (timeline.LABELS + timeline.PLOT, "20 s")


def test_demos_runs_are_shown_once_all_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "HOME", tmp_path)
    for tool in ("plain", *TOOLS):
        assert timeline.demo() == {}
        for month in demo.MONTHS:
            path = path_of(tool, month, tmp_path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(record(tool).model_dump_json(), "utf-8")
    assert timeline.demo() == {month: {tool: record(tool) for tool in ("plain", *TOOLS)} for month in demo.MONTHS}


def test_demo_says_so_if_the_page_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "ROOT", tmp_path)  # where there is no page to write
    demo.write_page()
    shown = capfd.readouterr()
    assert f"{sys.executable}: No module named page" in shown.err
    assert shown.out == "The comparison page could not be written, for the reason above; run make page to try again.\n"
