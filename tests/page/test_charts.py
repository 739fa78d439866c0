"""The charts of cost, drawn from figures that nobody has measured."""

import json
import re
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Any

import pytest

from bench.machine import machine
from page import __main__, charts, drawing, kept

FIRST = {"plain": 3.25, "airflow": 6.5, "prefect": 7.75, "dagster": 4.5}
MEASURED = {"date": "2001-02-03", "machine": machine() | {"cpu": "Made-up CPU"}}
BENCH: dict[str, Any] = {
    "measured": {"runs": MEASURED, "fan-out": MEASURED},
    "versions": {"plain": "Python 1", "airflow": "2.1", "prefect": "3.1", "dagster": "4.1"},
    "fan_out_repeats": {"times": 5, "up_to": 7},
    "fan_out_in_process": {
        "airflow": {"version": "2.1", "per_task": {"1": 0.5, "1000": 0.125}},
        "prefect": {"version": "3.1", "per_task": {"1": 0.25, "1000": 0.0125}},
        "dagster": {"version": "4.1", "per_task": {"1": 0.25, "1000": 0.05}},
    },
    "imports": {"plain": 0.025, "airflow": 1.5, "prefect": 1.25, "dagster": 0.75},
    "tools": {tool: {"first_stage": seconds, "memory_mb": 100 * seconds} for tool, seconds in FIRST.items()},
    "rows": {tool: [{"rows": 1_000, "run": 2.5}, {"rows": 10_000, "run": seconds}] for tool, seconds in FIRST.items()},
}
FIGURE = re.compile(r'<path aria-label="(?P<told>[^"]*)"[^>]* fill="(?P<fill>[^"]*)"[^>]*><title>(?P=told)</title>')


def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **other: Any) -> dict[str, charts.Chart]:
    (tmp_path / "bench.json").write_text(json.dumps(BENCH | other))
    monkeypatch.setattr(kept, "DOCS", tmp_path)
    return {chart.id: chart for chart in charts.charts()}


def wide(chart: charts.Chart) -> str:
    return chart.svg.partition('<div class="narrow">')[0]


def test_every_figure_is_drawn_in_the_colour_of_its_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {id: FIGURE.findall(chart.svg) for id, chart in drawn(tmp_path, monkeypatch).items()}
    for id, told in (
        ("fan-out", "airflow, 1 wide: 0.5 s per task"),
        ("fan-out", "prefect, 1,000 wide: 0.0125 s per task"),
        ("start-up", "plain, its import: 0.025 s"),
        ("start-up", "dagster, until the first stage: 4.5 s"),
        ("memory", "prefect, one run: 775 MB"),
        ("rows", "plain, 1,000 flights: 2.5 s"),
        ("rows", "airflow, 10,000 flights: 6.5 s"),
    ):
        assert (told, f"var(--{told.split(',')[0]})") in shown[id]
    for id, figures in {"fan-out": 6, "start-up": 8, "memory": 4, "rows": 8}.items():
        assert len(shown[id]) == figures * len(drawing.WIDTHS)


def test_a_bar_is_as_long_as_its_figure_and_a_point_stands_at_its_height(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = drawn(tmp_path, monkeypatch)
    lengths = dict(re.findall(r'<path aria-label="(\w+), one run[^>]* d="M0,[\d.]+h([\d.]+)v', found["memory"].svg))
    for tool, seconds in FIRST.items():
        assert float(lengths[tool]) / float(lengths["plain"]) == pytest.approx(seconds / FIRST["plain"])
    points = r'<path aria-label="(\w+), (?:1|1,000) wide[^>]* transform="translate\([\d.]+,([\d.]+)\)'
    (above, below), (middle, lowest), _ = zip(*[iter(re.findall(points, wide(found["fan-out"])))] * 2, strict=True)
    steps = [(float(b[1]) - float(a[1])) for a, b in ((above, below), (middle, lowest))]
    assert steps[1] / steps[0] == pytest.approx(log(20) / log(4))


def test_lines_bear_their_tools_names_apart_from_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    svg = wide(drawn(tmp_path, monkeypatch)["rows"])  # all four begin at the same point
    names = re.findall(r'translate\([\d.]+,([\d.]+)\)"[^>]* fill="var\(--\w+\)"[^>]*>(\w+)</text>', svg)
    assert [name for _, name in names] == ["Plain", "Airflow", "Prefect", "Dagster"]
    heights = [float(height) for height, _ in names]
    assert all(below - above >= drawing.LINE - 0.1 for below, above in pairwise(heights))


def test_no_colour_is_fixed_as_the_ground_may_be_light_or_dark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for chart in drawn(tmp_path, monkeypatch).values():
        colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', chart.svg))
        assert all(colour.startswith("var(--") for colour in colours - {"none", "transparent"}), colours


def test_says_with_which_versions_when_and_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for chart in drawn(tmp_path, monkeypatch).values():
        assert "Measured on 2001-02-03 with" in chart.text
        assert "Airflow 2.1, Prefect 3.1, Dagster 4.1, on Made-up CPU" in chart.text
        assert "Not measured on the machine" not in chart.text
    assert "Up to a width of 7 each point is the median of 5 runs" in drawn(tmp_path, monkeypatch)["fan-out"].text


def test_marks_the_figures_of_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = MEASURED | {"machine": machine() | {"id": "another"}}
    for chart in drawn(tmp_path, monkeypatch, measured={"runs": elsewhere, "fan-out": elsewhere}).values():
        assert chart.text.startswith("Not measured on the machine that wrote this page. ")


def test_figures_of_an_older_benchmark_are_told_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"has no fan_out_repeats of up_to, .*run make bench"):
        drawn(tmp_path, monkeypatch, fan_out_repeats={})


@pytest.mark.parametrize("name", ["fan_out_in_process", "imports", "tools", "rows", "versions"])
def test_a_tool_that_was_not_measured_fails_the_build_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    without = {tool: found for tool, found in BENCH[name].items() if tool != "dagster"}
    (tmp_path / "bench.json").write_text(json.dumps(BENCH | {name: without}))
    monkeypatch.setattr(kept, "DOCS", tmp_path)
    monkeypatch.setattr(__main__, "FOLDER", tmp_path / "page")
    with pytest.raises(
        SystemExit, match=f"^error: docs/bench.json has no {name} of dagster, expected .*run make bench"
    ):
        __main__.main()
    assert not (tmp_path / "page").exists()
