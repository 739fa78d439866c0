"""The tables of docs/scale.md come from docs/bench.json and D8, and tell when they are out of date."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools import scale
from tools.scenarios import TOOLS

PARTS = ("overhead", "training", "engines", "cores", "hand-over")
EVIDENCE = {"D8": {tool: {"obvious": {"facts": {"seconds": 551.0}}} for tool in TOOLS}}
ENGINE = {"version": "3.0", "memory_mb": 700.4}
EMPTY = "".join(f"Before {name}.\n<!-- begin {name} (generated) -->\n<!-- end {name} -->\n" for name in PARTS)


def bench(seconds: float = 0.36) -> dict[str, Any]:
    """As `make bench` writes it: each task takes `seconds`, a start 36 s beyond plain Python's, a candidate 2 s."""
    return {
        "tools": {"plain": {"first_stage": 4.0, "stages": 18.0}, **{tool: {"first_stage": 40.0} for tool in TOOLS}},
        "fan_out_in_process": {tool: {**ENGINE, "per_task": {"100": seconds, "1000": seconds}} for tool in TOOLS},
        "fan_out_repeats": {"limit_seconds": 720},
    }


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scale, "BENCH", tmp_path / "bench.json")
    monkeypatch.setattr(scale, "PAGE", tmp_path / "scale.md")
    monkeypatch.setattr(scale, "kept", lambda: EVIDENCE)
    monkeypatch.setattr("sys.argv", ["scale"])
    scale.BENCH.write_text(json.dumps(bench()), "utf-8")
    scale.PAGE.write_text(EMPTY, "utf-8")
    return scale.PAGE


def rows(page: Path) -> dict[str, list[str]]:
    cells = [line.strip("| ").split(" | ") for line in page.read_text("utf-8").splitlines() if line.startswith("| ")]
    return {label: figures for label, *figures in cells}


def test_works_out_the_hours_of_a_night(page: Path) -> None:
    scale.main()

    found = rows(page)
    assert found["Seconds a task, 1,000 wide"] == ["0.360"] * 3
    assert found["Seconds a task in D8, 1,100 wide"] == ["0.500"] * 3
    assert found["One fan-out of 10,000, and 6 tasks"] == ["1.00 h"] * 3
    assert found["100 pipelines of 100, and 6 tasks each"] == ["1.06 h"] * 3
    assert found["The starts of 100 processes, beyond plain Python's"] == ["1.00 h"] * 3
    assert found["at most 2.00, measured"] == ["5.56 h", "1", *["27.0%"] * 3]
    assert found["60, assumed"] == ["167 h", "21", *["1.2%"] * 3]
    assert page.read_text("utf-8").startswith("Before overhead.\n")


def test_other_figures_give_other_rows_and_are_told(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scale.main()
    monkeypatch.setattr("sys.argv", ["scale", "--check"])
    scale.main()
    written = page.read_text("utf-8")
    scale.BENCH.write_text(json.dumps(bench(seconds=3.6)), "utf-8")

    with pytest.raises(SystemExit, match=r"^scale.md is out of date with docs/bench.json .*; run make format$"):
        scale.main()
    assert page.read_text("utf-8") == written

    monkeypatch.setattr("sys.argv", ["scale"])
    scale.main()
    assert rows(page)["One fan-out of 10,000, and 6 tasks"] == ["10 h"] * 3
    assert rows(page)["Processes for 8 hours, the longer of the two"] == ["2"] * 3


def test_an_engine_that_was_measured_has_a_row_and_a_width_that_took_too_long_no_figure(page: Path) -> None:
    quick = {**ENGINE, "per_task": {"1": 1.0, "100": 0.5, "1000": 0.75}}
    slow = {**quick, "per_task": {"100": 2.0, "1000": None}}
    more = {"fan_out_live": {"dagster-forkserver": slow}, "fan_out_distributed": {"airflow": quick}}
    scale.BENCH.write_text(json.dumps(bench() | more), "utf-8")
    scale.main()
    found = rows(page)
    assert found["Airflow 3.0, in process"] == ["0.360", "0.360", "1.00", "1.00 h", "700"]
    assert found["Dagster-forkserver 3.0, live"] == ["2.000", "not within 12 min", "–", "–", "700"]
    assert found["Airflow 3.0, distributed"] == ["0.500", "0.750", "1.50", "2.08 h", "700"]


def test_cores_and_hand_overs_have_rows_as_soon_as_they_are_measured(page: Path) -> None:
    scale.main()
    assert page.read_text("utf-8").count("Not measured yet.") == 2

    way = {"bytes_written": 7e6, "bytes_fetched": 0, "write": 33.51, "first_read": 3, "later_read": 1}
    more = {"two_cores": {"airflow": {"one": 40.5, "two": 27.0, "ratio": 1.5}}, "hand_over": {"folder": way}}
    scale.BENCH.write_text(json.dumps(bench() | more), "utf-8")
    scale.main()
    found = rows(page)
    assert found["Airflow"] == ["40.5 s", "27.0 s", "1.50"]
    assert found["Folder"] == ["7.0 MB", "0.0 MB", "33.5 ms", "3.0 ms", "1.0 ms"]


@pytest.mark.parametrize(
    ("part", "told"),
    [("fan_out_in_process", "fan_out_in_process.dagster.per_task.1000"), ("tools", "tools.dagster.first_stage")],
)
def test_a_missing_part_is_told_in_one_sentence(page: Path, part: str, told: str) -> None:
    found = bench()
    del found[part]["dagster"]
    scale.BENCH.write_text(json.dumps(found), "utf-8")

    with pytest.raises(SystemExit, match=f"^scale.md needs {told}, which was not measured; run make bench, or "):
        scale.main()
    assert page.read_text("utf-8") == EMPTY
