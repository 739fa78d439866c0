"""One suite for all tools: each orchestrator's record equals the plain run's, field by field."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest
from mlflow import MlflowClient

from shared.lib import registry, store
from shared.runtime import records
from shared.runtime.cluster import BUCKET
from shared.runtime.records import RunRecord, differences
from shared.settings import Settings
from tests.conftest import TOOL

UNKNOWN = "tests.nowhere:nothing"
FEW = ("logistic",)
"""For tests in which it does not matter how many families there are."""


def state_of(record: RunRecord, stage: str) -> str:
    return next(found.state for found in record.stages if found.stage == stage)


def aliases(settings: Settings) -> dict[str, str]:
    model = MlflowClient(settings.tracking_uri).get_registered_model(settings.model_name)
    return {alias: str(version) for alias, version in model.aliases.items()}


def versions(settings: Settings) -> int:
    return len(MlflowClient(settings.tracking_uri).search_model_versions(f"name = '{settings.model_name}'"))


def without_retries(record: RunRecord) -> RunRecord:
    """The record as if no stage had been tried more than once."""
    once = [stage.model_copy(update={"attempts": min(stage.attempts, 1)}) for stage in record.stages]
    return record.model_copy(update={"stages": once})


def test_first_month_is_promoted_as_in_the_plain_run(first_month: SimpleNamespace) -> None:
    plain, tool = first_month.plain, first_month.tool
    assert tool.state == "success", tool.error
    assert tool.evaluation.decision == "promote"
    assert tool.champion.version == "1"
    assert differences(plain, tool) == []


def test_record_names_tool_version_run_and_times(first_month: SimpleNamespace) -> None:
    record = first_month.tool
    assert record.tool == TOOL
    assert record.tool_version.count(".") == 2
    assert record.run_id
    assert record.started < record.ended
    ran = [stage for stage in record.stages if stage.state == "success"]
    assert all(record.started <= stage.started <= stage.ended <= record.ended for stage in ran)
    assert [stage.stage for stage in record.stages if stage.stage != "train"] == [
        s for s in records.STAGES if s != "train"
    ]


def test_candidates_are_runs_nested_under_one_parent(first_month: SimpleNamespace) -> None:
    record, settings = first_month.tool, first_month.settings
    client = MlflowClient(settings.tracking_uri)
    assert record.tracking.experiment == settings.experiment
    experiment = client.get_experiment_by_name(settings.experiment)
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    parent = runs.pop("2013-06")
    assert parent.info.run_id == record.tracking.run_id
    assert parent.data.tags["orchestrator.run_id"] == record.run_id
    assert sorted(runs) == sorted(stage.key for stage in record.stages if stage.stage == "train")
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {record.tracking.run_id}
    assert {run.info.status for run in (parent, *runs.values())} == {"FINISHED"}


def test_nothing_is_pickled(first_month: SimpleNamespace) -> None:
    settings = first_month.settings
    assert registry.by_alias(registry.CHAMPION, settings)
    kept = [str(path) for path in settings.home.rglob("*")]
    if settings.store_url:
        kept += fsspec.filesystem("s3", use_listings_cache=False).find(BUCKET)
    assert not [path for path in kept if path.endswith((".pkl", ".pickle", ".joblib"))]


def test_every_candidate_has_an_instance_named_by_its_key(both: SimpleNamespace) -> None:
    record = both.tool(families=("logistic", "boosting20"))
    keys = [stage.key for stage in record.stages if stage.stage == "train"]
    assert keys == [f"{origin}/{family}" for origin in ("EWR", "JFK", "LGA") for family in ("boosting20", "logistic")]


def test_same_month_again_changes_nothing(both: SimpleNamespace) -> None:
    both.plain(families=FEW), both.tool(families=FEW)
    before = aliases(Settings(tool=TOOL))
    plain, tool = both.plain(families=FEW), both.tool(families=FEW)
    assert tool.evaluation.decision == "keep"
    assert state_of(tool, "deploy") == "skipped"
    assert differences(plain, tool) == []
    assert aliases(Settings(tool=TOOL)) == before
    assert versions(Settings(tool=TOOL)) == 1


@pytest.mark.slow
def test_better_challenger_becomes_champion_and_the_old_one_previous(both: SimpleNamespace) -> None:
    both.plain(families=FEW, min_rows=1000), both.tool(families=FEW, min_rows=1000)  # one airport has as many
    plain, tool = both.plain(families=FEW), both.tool(families=FEW)
    assert tool.evaluation.decision == "promote"
    assert differences(plain, tool) == []
    assert aliases(Settings(tool=TOOL)) == {"champion": "2", "previous": "1"}


@pytest.mark.slow
def test_champion_that_has_seen_the_month_is_kept_and_not_compared(both: SimpleNamespace) -> None:
    for month in ("2013-07", "2013-06"):
        plain, tool = (run(month, source="", families=FEW) for run in (both.plain, both.tool))
        assert differences(plain, tool) == []
    assert tool.evaluation.decision == "keep"
    assert tool.evaluation.champion is None
    assert tool.champion.version == "1"


def test_one_bad_candidate_does_not_sink_the_others(both: SimpleNamespace) -> None:
    families = ("logistic", UNKNOWN)
    plain, tool = both.plain(families=families), both.tool(families=families)
    assert tool.state == "success", tool.error
    trained = {stage.key: (stage.state, stage.attempts) for stage in tool.stages if stage.stage == "train"}
    assert trained["EWR/logistic"] == ("success", 1)
    assert trained[f"EWR/{UNKNOWN}"] == ("failed", 1)
    assert differences(plain, tool) == []


def test_airports_left_without_a_model_fail_the_run_by_name(both: SimpleNamespace) -> None:
    plain, tool = both.plain(families=(UNKNOWN,)), both.tool(families=(UNKNOWN,))
    assert state_of(tool, "evaluate") == "failed"
    assert tool.error == plain.error
    assert "EWR, JFK, LGA" in tool.error
    assert differences(plain, tool) == []


def test_no_candidate_fails_the_plan(both: SimpleNamespace) -> None:
    plain, tool = both.plain(min_rows=10**6), both.tool(min_rows=10**6)
    assert state_of(tool, "plan") == "failed"
    assert tool.error == plain.error
    assert differences(plain, tool) == []


def test_missing_month_fails_at_once(both: SimpleNamespace) -> None:
    plain, tool = both.plain("2013-07"), both.tool("2013-07")
    assert tool.error == plain.error
    assert "flights/2013-07.csv is missing" in tool.error
    assert differences(plain, tool) == []


@pytest.mark.parametrize("wrong", ["foo://bucket/folder", "/no such folder"])
def test_source_that_can_not_be_is_named_in_one_sentence(both: SimpleNamespace, wrong: str) -> None:
    plain, tool = both.plain(source=wrong), both.tool(source=wrong)
    assert tool.error == plain.error
    assert f"source is {wrong!r}, expected a folder" in tool.error
    assert differences(plain, tool) == []


def test_rejected_batch_is_put_aside_and_nothing_downstream_sees_it(
    both: SimpleNamespace, source: Path, tmp_path: Path
) -> None:
    broken = shutil.copytree(source, tmp_path / "broken")
    flights = broken / "flights" / "2013-06.csv"
    flights.write_text(flights.read_text().replace(",1400,", ",-1400,"))
    plain, tool = both.plain(source=str(broken)), both.tool(source=str(broken))
    assert "distance" in tool.error
    assert state_of(tool, "validate") == "failed"
    assert state_of(tool, "features") == "skipped"
    assert differences(plain, tool) == []
    aside = store.place("quarantine/2013-06/flights", Settings(tool=TOOL))
    files, folder = fsspec.url_to_fs(aside, use_listings_cache=False)
    assert files.glob(f"{folder}/*.csv")


@pytest.mark.slow
@pytest.mark.usefixtures("in_process")
def test_command_writes_the_record_and_ends_with_a_summary(home: Path, source: Path) -> None:
    command = [sys.executable, "-m", f"{TOOL}_impl.run", "2013-06", "--source", str(source), "--min-rows", "100"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    record = records.read(TOOL, "2013-06", home)
    assert record.champion.fingerprint[:12] in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.usefixtures("in_process")
def test_command_tells_a_failure_in_one_sentence(home: Path, source: Path) -> None:
    command = [sys.executable, "-m", f"{TOOL}_impl.run", "2013-09", "--source", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 1
    assert "flights/2013-09.csv is missing" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert records.read(TOOL, "2013-09", home).state == "failed"


@pytest.mark.slow
@pytest.mark.usefixtures("in_process")
def test_two_runs_of_one_month_at_once_make_one_champion(home: Path, source: Path) -> None:
    command = [sys.executable, "-m", f"{TOOL}_impl.run", "2013-06", "--source", str(source), "--min-rows", "100"]
    command += ["--families", "logistic"]
    pair = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=240)[0] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], "\n".join(outputs)
    assert versions(Settings(tool=TOOL)) == 1
    assert aliases(Settings(tool=TOOL)) == {"champion": "1"}


@pytest.mark.slow
def test_demo_months_agree_with_the_plain_run(both: SimpleNamespace) -> None:
    for month in ("2013-06", "2013-12"):
        plain, tool = (run(month, source="", min_rows=1000) for run in (both.plain, both.tool))
        assert tool.state == "success", tool.error
        assert differences(plain, tool) == []
