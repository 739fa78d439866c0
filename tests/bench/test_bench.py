"""What `make bench` measures, at sizes that take a moment."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import s3fs

from bench import __main__, fan_out, hand_over, rows, runs, traces, wide
from bench.machine import machine
from bench.wide import driver
from shared.lib import tables
from shared.settings import ROOT


def test_a_machine_is_known_again_by_its_id_and_by_nothing_else_of_its_own() -> None:
    ask = "import json; from bench.machine import machine; print(json.dumps(machine()))"
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == machine()
    assert set(machine()) == {"cpu", "cores", "memory_gb", "system", "id"}
    assert all(machine().values())


@pytest.mark.parametrize("times", [0.3, 1, 2])
def test_a_scaled_source_has_that_many_times_the_flights_each_once(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: float
) -> None:
    monkeypatch.setattr(rows, "default_source", lambda: source)
    scaled = rows.scaled(times, tmp_path / "scaled")
    for name in ("2013-05.csv", "2013-06.csv"):
        before, after = (tables.read_text(folder / "flights" / name) for folder in (source, scaled))
        assert after.height == pytest.approx(times * before.height, abs=3)
        assert after.is_duplicated().sum() == 0
    assert (scaled / "planes.csv").read_bytes() == (source / "planes.csv").read_bytes()


def test_memory_is_that_of_a_command_and_of_what_it_starts_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "HOME", tmp_path)
    _, alone = runs.measure(Path(sys.executable), "tests.bench.with_child", "alone")
    _, both = runs.measure(Path(sys.executable), "tests.bench.with_child")
    assert 80 < alone < 120
    assert 160 < both < 240


def test_each_case_of_traces_has_the_median_of_its_runs() -> None:
    endpoints = list[str]()

    def run(tool: str, variables: Any) -> float:
        endpoints.append(variables.get("OTEL_EXPORTER_OTLP_ENDPOINT", "off"))
        return float(len(endpoints))

    found = traces.seconds(run)
    assert found["plain"] == {"off": 3.0, "collector": 4.0, "refuses": 5.0, "hangs": 6.0}
    assert len(set(endpoints)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("tool", fan_out.MODES["in_process"])
def test_a_fan_out_is_run_in_the_tool_and_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    monkeypatch.setattr(runs, "HOME", tmp_path)
    found = fan_out.measure("in_process", tool, [2, 11])
    assert list(found["per_task"]) == ["2", "11"]
    assert all(0 < seconds < 60 for seconds in (found["up"], found["first_task"], *found["per_task"].values()))
    assert 50 < found["memory_mb"] < 2000


def test_a_fan_out_that_loses_a_task_is_no_figure() -> None:
    assert wide.total(wide.plan(4), 4) == 6
    with pytest.raises(ValueError, match="the numbers below 4 add up to 3, expected 6; results are missing"):
        wide.total(wide.plan(3), 4)


def test_a_width_that_does_not_end_in_time_has_no_figure_and_wider_ones_are_not_tried() -> None:
    asked = list[int]()

    def ask(width: int, deadline: float) -> driver.Run:
        asked.append(width)
        if width > 100:
            raise TimeoutError
        tasks = width + wide.FIXED + 1
        return driver.Run(start=1000, end=1000 + tasks / 4, first_task=time.time() + 60)

    found = driver.measure(ask, [10, 100, 300, 1000], deadline=0)
    assert found["per_task"] == {10: 0.25, 100: 0.25, 300: None, 1000: None}
    assert found["first_task"] == pytest.approx(60, abs=1)
    assert asked == [*[10] * driver.REPEATS, 100, 300]


def test_waits_until_something_is_true_or_the_deadline_is_over() -> None:
    looks = iter([0, 7])
    assert driver.until(lambda: next(looks)) == 7
    with pytest.raises(TimeoutError):
        driver.until(lambda: 0, deadline=time.time() - 1)


RUN = {"seconds": 8.25, "stages": 4.5, "floor": 1.75, "ratio": 1.5, "memory_mb": 512.0, "run": 5.0, "first_stage": 3.0}
WIDE = {"version": "2.1", "up": 9.5, "first_task": 1.5, "per_task": {"100": 0.05, "1000": 0.0625}, "memory_mb": 900.0}
FOUND = {
    "tools": {"plain": RUN, "airflow": RUN},
    "versions": {"plain": "Python 1", "airflow": "2.1"},
    "rows": {"airflow": [{"times": 0.1, "rows": 1234, **RUN}, {"times": 1, "rows": 12345, **RUN}]},
    "year": {"rows": 5, "load": 0.25, "features": 0.5, "total": 0.75},
    "imports": {"airflow": 2.25},
    "startup": {"let_skops_find_scipy": {"with": 2.5, "without": 5.0, "ratio": 0.5}},
    "ui": {"airflow": {"seconds": 14.5, "over_plain": 2.5}},
    "traces": {"airflow": {"off": 8.0, "collector": 10.0, "refuses": 8.0, "hangs": 24.0}},
    "fan_out_live/airflow": WIDE,
    "fan_out_live/dagster": {**WIDE, "first_task": None, "per_task": {"100": 0.75, "1000": None}},
    "two_cores": {"airflow": {"one": 40.5, "two": 27.0, "ratio": 1.55}},
    "hand_over": {"s3": {"bytes_written": 7e6, "bytes_fetched": 7e6, "write": 33.5, "first_read": 3, "later_read": 1}},
}
PRINTED = ("1.50", "12,345", "5 rows", "2.25", "0.50", "14.5", "3.00", "33.5", "1.55", "0.062", "1.25", "0.750", "900")
LIVE = [name for name in FOUND if "/" in name]


def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *words: str, **other: Any) -> dict[str, Any]:
    """Run the command, with figures that nobody has measured; returns what is kept afterwards."""

    def parts(results: dict[str, Any]) -> dict[str, Any]:
        return {name: lambda found=found: found for name, found in (FOUND | other).items()}

    monkeypatch.setattr(__main__, "PARTS", {"live": LIVE, "rest": [name for name in FOUND if name not in LIVE]})
    monkeypatch.setattr(__main__, "parts", parts)
    monkeypatch.setattr(__main__, "HOME", tmp_path / "home")
    monkeypatch.setattr(__main__, "KEPT", tmp_path / "bench.json")
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    __main__.main()
    return json.loads(__main__.KEPT.read_text()) if __main__.KEPT.exists() else {}


@pytest.mark.parametrize("only", [[], ["--part", "live"]])
def test_all_that_is_measured_is_kept_and_shown_and_one_part_is_only_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], only: list[str]
) -> None:
    kept = bench(monkeypatch, tmp_path, *only)
    printed = capsys.readouterr().out
    wanted = ("0.062", "1.25", "0.750", "900") if only else PRINTED
    assert [figure in printed for figure in PRINTED] == [figure in wanted for figure in PRINTED]
    if only:
        assert not kept
    else:
        assert [found["machine"] for found in kept["measured"].values()] == [machine()] * 2
        assert kept["year"] == FOUND["year"]
        assert kept["fan_out_live"]["airflow"] == WIDE


def test_a_part_that_is_kept_replaces_its_own_figures_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bench(monkeypatch, tmp_path)
    monkeypatch.setattr(__main__, "software", lambda: {"python": "of another day"})
    new = {**WIDE, "up": 1.25}
    monkeypatch.setattr("tests.bench.test_bench.LIVE", LIVE[:1])
    after = bench(monkeypatch, tmp_path, "--part", "live", "--keep", **{LIVE[0]: new})
    assert after["fan_out_live"] == {"airflow": new, "dagster": before["fan_out_live"]["dagster"]}
    assert after["measured"]["live"]["software"] == {"python": "of another day"}
    assert after["measured"]["rest"] == before["measured"]["rest"]
    unchanged = set(before) - {"fan_out_live", "measured"}
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}


def test_what_was_measured_before_a_part_failed_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__main__, "software", Mock(side_effect=[{}, OSError("the second part fails")]))
    with pytest.raises(OSError, match="the second part fails"):
        bench(monkeypatch, tmp_path)
    kept = json.loads((tmp_path / "bench.json").read_text())
    assert list(kept["measured"]) == ["live"]
    assert kept["fan_out_live"]["airflow"] == WIDE


def test_parts_hold_all_that_is_measured_once() -> None:
    assert sorted(name for names in __main__.PARTS.values() for name in names) == sorted(__main__.parts({}))


def test_hand_over_by_s3_fetches_the_file_once_a_machine(tmp_path: Path) -> None:
    s3fs.S3FileSystem.clear_instance_cache()  # it knows the servers of other tests, which are gone
    found = hand_over.measure(tmp_path)
    assert found["folder"]["bytes_fetched"] == 0
    assert found["s3"]["bytes_fetched"] == found["s3"]["bytes_written"] > 1e6
    assert found["s3"]["first_read"] > found["s3"]["later_read"]
