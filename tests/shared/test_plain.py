"""The whole pipeline without an orchestrator: the same result each time, and a second time nothing changes."""

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from shared import plain
from shared.lib import registry, tracking
from shared.runtime import records
from shared.runtime.records import RunRecord
from shared.settings import ROOT, Settings

MONTH, MISSING = "2013-05", "2013-06"


class Finished(NamedTuple):
    settings: Settings
    record: RunRecord


@pytest.fixture(scope="module")
def finished(new_home: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run in this process; tests leave it as it is, or run the same month again."""
    settings = new_home(tmp_path_factory.mktemp("finished") / "home")
    return Finished(settings, plain.run(MONTH, settings))


def arguments(settings: Settings, *months: str) -> list[str]:
    return [
        *months,
        "--source",
        settings.source,
        "--min-rows",
        str(settings.min_rows),
        "--families",
        *settings.families,
    ]


def start(settings: Settings, *months: str, **env: str) -> subprocess.Popen[str]:
    """The run command, in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    return subprocess.Popen(
        [sys.executable, "-m", "shared.plain", *arguments(settings, *months)],
        cwd=ROOT,
        env={**clean, "TRIPTYCH_HOME": str(settings.home), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Raced(NamedTuple):
    settings: Settings
    codes: list[int]
    output: list[str]


@pytest.fixture(scope="module")
def raced(new_home: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> Raced:
    """Two processes that ran the same months in the same home at once, in different environments.

    The source lacks the second month, so that its run fails.
    """
    settings = new_home(tmp_path_factory.mktemp("raced") / "home")
    two = [
        start(settings, MONTH, MISSING, PYTHONHASHSEED="1"),
        start(settings, MONTH, MISSING, PYTHONHASHSEED="2", OMP_NUM_THREADS="1"),
    ]
    output = ["".join(process.communicate(timeout=120)) for process in two]
    return Raced(settings, [process.returncode for process in two], output)


def versions(settings: Settings) -> list[str]:
    found = tracking.client(settings).search_model_versions(f"name = '{settings.model_name}'")
    return [str(version.version) for version in found]


def champion(settings: Settings) -> str | None:
    version = registry.by_alias(registry.CHAMPION, settings)
    return version and str(version.version)


def features_in(settings: Settings) -> list[str]:
    return [path.name for path in (settings.store / "features").iterdir()]


def test_first_run_trains_all_candidates_and_puts_a_model_in_service(finished: Finished) -> None:
    settings, record = finished

    assert (record.state, record.error, record.tool, record.month) == ("success", None, "plain", MONTH)
    keys = [f"{origin}/{family}" for origin in ("EWR", "JFK", "LGA") for family in sorted(settings.families)]
    assert [(stage.stage, stage.key, stage.state, stage.attempts) for stage in record.stages] == [
        (stage, key, "success", 1) for stage in records.STAGES for key in (keys if stage == "train" else [None])
    ]
    assert record.champion is not None
    assert record.champion.version == champion(settings) == "1"
    assert record.evaluation is not None
    assert record.evaluation.decision == "promote"
    assert record.tracking is not None
    assert tracking.client(settings).get_run(record.tracking.run_id).data.tags["month"] == MONTH


def test_times_of_the_stages_follow_each_other(finished: Finished) -> None:
    times = [(stage.started, stage.ended) for stage in finished.record.stages if stage.stage != "train"]

    assert finished.record.started <= times[0][0]
    assert times == sorted(times)
    assert times[-1][1] <= finished.record.ended


class Again(NamedTuple):
    record: RunRecord
    before: set[str]
    after: set[str]
    log: str


@pytest.fixture(scope="module")
def again(finished: Finished) -> Again:
    """A second run of the same month, with the files of the home before and after it."""
    log, home = io.StringIO(), finished.settings.home
    handler, logger = logging.StreamHandler(log), logging.getLogger("shared")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    before = files(home)
    record = plain.run(MONTH, finished.settings)
    logger.removeHandler(handler)
    return Again(record, before, files(home), log.getvalue())


def files(home: Path) -> set[str]:
    return {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}


def test_second_run_of_the_month_changes_nothing_in_the_registry_and_says_so(finished: Finished, again: Again) -> None:
    assert "this very model is in service already, as version 1: nothing changes" in again.log
    assert again.record.champion == finished.record.champion
    assert versions(finished.settings) == [champion(finished.settings)] == ["1"]
    assert [stage.state for stage in again.record.stages if stage.stage == "deploy"] == ["skipped"]


def test_second_run_of_the_month_adds_no_file_but_its_own_artifacts(again: Again) -> None:
    artifacts = f"mlflow/artifacts/triptych-plain/{again.record.tracking.run_id}/artifacts"
    names = {"calibration.svg", "roc.svg", "leaderboard.json", "scores.json", "importance.json"}
    assert again.after - again.before == {f"{artifacts}/{name}" for name in names}
    assert again.before - again.after == set()


def test_next_month_is_compared_with_the_champion(settings: Settings) -> None:
    settings = settings.model_copy(update={"families": ("logistic",)})
    first, second = plain.run("2013-03", settings), plain.run("2013-05", settings)

    assert first.champion is not None
    assert first.champion.version == "1"
    assert second.evaluation is not None
    assert second.evaluation.champion is not None
    challenger, old = second.evaluation.challenger.brier, second.evaluation.champion.brier
    assert second.evaluation.decision == ("promote" if challenger < old else "keep")
    assert champion(settings) == (second.champion and second.champion.version) == ("2" if challenger < old else "1")


@pytest.mark.usefixtures("own_families")
def test_candidates_that_fail_do_not_sink_the_others(settings: Settings) -> None:
    record = plain.run(MONTH, settings.model_copy(update={"families": ("families:broken", "logistic")}))

    assert record.state == "success"
    assert {stage.key: stage.state for stage in record.stages if stage.stage == "train"} == {
        f"{origin}/{family}": state
        for origin in ("EWR", "JFK", "LGA")
        for family, state in (("families:broken", "failed"), ("logistic", "success"))
    }


@pytest.mark.usefixtures("own_families")
def test_airports_left_without_a_model_fail_the_run_by_name(settings: Settings) -> None:
    record = plain.run(MONTH, settings.model_copy(update={"families": ("families:broken",)}))

    assert record.state == "failed"
    assert record.error is not None
    assert "no candidate survived for EWR, JFK, LGA" in record.error
    states = {stage.stage: stage.state for stage in record.stages}
    assert (states["plan"], states["evaluate"], states["deploy"]) == ("success", "failed", "skipped")
    assert versions(settings) == []


def test_bad_batch_stops_the_run_and_leaves_the_champion(
    finished: Finished, source: Path, set_cells: Callable[[Path, str, dict[int, str]], None]
) -> None:
    set_cells(source / "flights" / f"{MONTH}.csv", "distance", {6: "-1"})

    record = plain.run(MONTH, finished.settings.model_copy(update={"source": str(source)}))

    assert record.state == "failed"
    assert record.error is not None
    assert f"flights/{MONTH}.csv: column distance" in record.error
    assert [stage.state for stage in record.stages] == ["success", "failed", *["skipped"] * 5]
    assert (record.champion, record.evaluation, record.tracking) == (None, None, None)
    assert champion(finished.settings) == "1"


@pytest.mark.slow
def test_two_runs_at_once_give_one_champion_and_one_version(raced: Raced) -> None:
    assert all(f"{MONTH}: success" in text for text in raced.output), raced.output
    assert versions(raced.settings) == [champion(raced.settings)] == ["1"]
    assert sorted(path.name for path in raced.settings.store.rglob("*") if "tmp" in path.name) == []


def test_every_process_gives_the_same_bits(raced: Raced, finished: Finished) -> None:
    record = records.read("plain", MONTH, raced.settings.home)

    assert record.champion == finished.record.champion
    assert record.inputs == finished.record.inputs
    assert record.evaluation is not None
    assert finished.record.evaluation is not None
    assert record.evaluation.challenger == finished.record.evaluation.challenger
    assert features_in(raced.settings) == features_in(finished.settings)
    assert finished.record.champion is not None
    assert all(finished.record.champion.fingerprint[:12] in text for text in raced.output)


def test_command_whose_run_fails_says_why_in_one_sentence_and_leaves_a_record(raced: Raced) -> None:
    record = json.loads((raced.settings.home / "records" / "plain" / f"{MISSING}.json").read_text())

    assert raced.codes == [1, 1]
    assert (record["state"], [stage["state"] for stage in record["stages"]]) == ("failed", ["failed", *["skipped"] * 6])
    assert f"flights/{MISSING}.csv is missing" in record["error"]
    for text in raced.output:
        assert f"error       {record['error']}\n" in text
        assert "Traceback" not in text
