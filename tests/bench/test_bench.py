"""What `make bench` measures, at sizes that take a moment."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import s3fs

from bench import __main__, fan_out, hand_over, rows, runs, traces
from bench.machine import machine
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
@pytest.mark.parametrize("tool", fan_out.TOOLS)
def test_a_fan_out_is_run_in_the_tool_and_timed(tmp_path: Path, tool: str) -> None:
    found = fan_out.per_task(tool, tmp_path, [2, 11])
    assert list(found) == [2, 11]
    assert all(0 < seconds < 60 for seconds in found.values())


def test_a_fan_out_that_loses_a_task_is_no_figure() -> None:
    with pytest.raises(SystemExit, match="the numbers below 4 add up to 3, expected 6; some tasks are lost"):
        fan_out.timed(lambda width: sum(range(width - 1)), 4)


RUN = {"seconds": 8.25, "stages": 4.5, "floor": 1.75, "ratio": 1.5, "memory_mb": 512.0, "run": 5.0, "first_stage": 3.0}
FOUND = {
    "tools": {"plain": RUN, "airflow": RUN},
    "versions": {"plain": "Python 1", "airflow": "2.1"},
    "rows": {"airflow": [{"times": 0.1, "rows": 1234, **RUN}, {"times": 1, "rows": 12345, **RUN}]},
    "year": {"rows": 5, "load": 0.25, "features": 0.5, "total": 0.75},
    "imports": {"airflow": 2.25},
    "startup": {"let_skops_find_scipy": {"with": 2.5, "without": 5.0, "ratio": 0.5}},
    "ui": {"airflow": {"seconds": 14.5, "over_plain": 2.5}},
    "traces": {"airflow": {"off": 8.0, "collector": 10.0, "refuses": 8.0, "hangs": 24.0}},
    "fan_out": {"airflow": {1: 0.125, 1000: 0.0625}},
    "hand_over": {"s3": {"bytes_written": 7e6, "bytes_fetched": 7e6, "write": 33.5, "first_read": 3, "later_read": 1}},
}
PRINTED = ("1.50", "12,345", "5 rows", "2.25", "0.50", "14.5", "3.00", "0.062", "33.5")


@pytest.mark.parametrize("only", [[], ["--part", "fan-out"]])
def test_all_that_is_measured_is_kept_and_shown_and_one_part_is_only_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], only: list[str]
) -> None:
    def parts(results: dict[str, Any]) -> dict[str, Any]:
        return {name: lambda found=found: found for name, found in FOUND.items()}

    monkeypatch.setattr(__main__, "parts", parts)
    monkeypatch.setattr(__main__, "HOME", tmp_path / "home")
    monkeypatch.setattr(__main__, "KEPT", tmp_path / "bench.json")
    monkeypatch.setattr(sys, "argv", ["bench", *only])
    __main__.main()
    printed = capsys.readouterr().out
    assert [figure in printed for figure in PRINTED] == [not only or figure == "0.062" for figure in PRINTED]
    if only:
        assert not (tmp_path / "bench.json").exists()
    else:
        kept = json.loads((tmp_path / "bench.json").read_text())
        assert kept["machine"] == machine()
        assert kept["fan_out"]["airflow"] == {"1": 0.125, "1000": 0.0625}


def test_parts_hold_all_that_is_measured_once() -> None:
    assert sorted(name for names in __main__.PARTS.values() for name in names) == sorted(__main__.parts({}))


def test_hand_over_by_s3_fetches_the_file_once_a_machine(tmp_path: Path) -> None:
    s3fs.S3FileSystem.clear_instance_cache()  # it knows the servers of other tests, which are gone
    found = hand_over.measure(tmp_path)
    assert found["folder"]["bytes_fetched"] == 0
    assert found["s3"]["bytes_fetched"] == found["s3"]["bytes_written"] > 1e6
    assert found["s3"]["first_read"] > found["s3"]["later_read"]
