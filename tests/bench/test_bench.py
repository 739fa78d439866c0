"""What `make bench` measures, at sizes that take a moment."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import __main__, fan_out, rows
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


@pytest.mark.slow
@pytest.mark.parametrize("tool", fan_out.TOOLS)
def test_a_fan_out_is_run_in_the_tool_and_timed(tmp_path: Path, tool: str) -> None:
    found = fan_out.per_task(tool, tmp_path, [2, 3])
    assert list(found) == [2, 3]
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
    "startup": {"load_skops_first": {"with": 2.5, "without": 5.0, "ratio": 0.5}},
    "ui": {"airflow": {"seconds": 14.5, "over_plain": 2.5}},
    "traces": {"airflow": {"off": 8.0, "collector": 10.0, "refuses": 8.0, "hangs": 24.0}},
    "fan_out": {"airflow": {1: 0.125, 1000: 0.0625}},
}
PRINTED = ("1.50", "12,345", "5 rows", "2.25", "0.50", "14.5", "3.00", "0.062")


@pytest.mark.parametrize("only", [[], ["--only", "fan_out"]])
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


def test_what_can_be_measured_alone_is_a_part() -> None:
    assert set(__main__.ALONE) < set(__main__.parts({}))
