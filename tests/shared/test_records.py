"""The run record: whole or not at all, the same after a round trip, and comparable between tools."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.runtime import records
from shared.runtime.records import STAGES, RunRecord, StageRecord
from shared.settings import Settings

FIELDS = [
    *("tool", "tool_version", "month", "run_id", "state", "started", "ended", "inputs", "stages"),
    *("evaluation", "champion", "tracking", "error"),
]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RECORD = RunRecord.model_validate(
    {
        "tool": "plain",
        "tool_version": "1",
        "month": "2013-06",
        "run_id": "a",
        "state": "success",
        "started": NOON,
        "ended": NOON + timedelta(seconds=9),
        "inputs": {"flights/2013-05.csv": "0" * 64, "flights/2013-06.csv": "1" * 64},
        "stages": [
            {"stage": "ingest", "state": "success", "attempts": 1, "started": NOON, "ended": NOON},
            {"stage": "train", "key": "EWR/logistic", "state": "success", "attempts": 2},
        ],
        "evaluation": {
            "challenger": {"brier": 0.1},
            "champion": None,
            "base_rate": {"brier": 0.2},
            "decision": "promote",
        },
        "champion": {"version": "1", "fingerprint": "f" * 64},
        "tracking": {"experiment": "triptych-plain", "run_id": "r"},
        "error": None,
    }
)


def changed(**fields: Any) -> RunRecord:
    """The record of another tool, with other fields."""
    return RunRecord.model_validate(RECORD.model_dump() | {"tool": "airflow"} | fields)


def test_record_comes_back_as_it_was(settings: Settings) -> None:
    path = records.write(RECORD, settings)

    assert path == settings.home / "records" / "plain" / "2013-06.json"
    assert records.read("plain", "2013-06", settings.home) == RECORD


def test_record_has_the_fields_of_the_specification_and_utc_times(settings: Settings) -> None:
    found = json.loads(records.write(RECORD, settings).read_text())

    assert list(found) == list(RunRecord.model_fields) == FIELDS
    assert list(found["stages"][0]) == ["stage", "key", "state", "attempts", "started", "ended"]
    assert found["started"] == "2026-01-01T12:00:00Z"
    assert found["evaluation"]["champion"] is None


def test_new_record_takes_the_old_ones_place(settings: Settings) -> None:
    records.write(RECORD, settings)
    path = records.write(RECORD.model_copy(update={"run_id": "b"}), settings)

    assert records.read("plain", "2013-06", settings.home).run_id == "b"
    assert set(path.parent.iterdir()) == {path, records.path_of_success("plain", "2013-06", settings.home)}


def test_failed_run_leaves_the_months_last_success(settings: Settings) -> None:
    records.write(RECORD, settings)
    records.write(RECORD.model_copy(update={"run_id": "b", "state": "failed", "error": "no"}), settings)

    kept = records.path_of_success("plain", "2013-06", settings.home)
    assert RunRecord.model_validate_json(kept.read_bytes()) == RECORD
    assert records.read("plain", "2013-06", settings.home).run_id == "b"


@pytest.mark.parametrize(
    "wrong", [{"month": "2013-13"}, {"state": "running"}, {"extra": 1}, {"champion": {"version": "1"}}]
)
def test_wrong_record_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        changed(**wrong)


def test_tools_that_agree_have_no_differences() -> None:
    other = changed(tool_version="2", run_id="b", started=NOON - timedelta(days=1), tracking=None)

    assert records.differences(RECORD, other) == []


@pytest.mark.parametrize(
    ("fields", "difference"),
    [
        ({"state": "failed"}, "state: plain has success, airflow has failed"),
        ({"month": "2013-07"}, "month: plain has 2013-06, airflow has 2013-07"),
        (
            {"inputs": {"flights/2013-05.csv": "0" * 64}},
            f"inputs[flights/2013-06.csv]: plain has {'1' * 64}, airflow has None",
        ),
        ({"champion": {"version": "2", "fingerprint": "f" * 64}}, "champion.version: plain has 1, airflow has 2"),
        (
            {"champion": {"version": "1", "fingerprint": "e" * 64}},
            f"champion.fingerprint: plain has {'f' * 64}, airflow has {'e' * 64}",
        ),
        ({"stages": RECORD.stages[:1]}, "stages.train[EWR/logistic]: plain has ('success', 2), airflow has None"),
        (
            {"stages": [RECORD.stages[0], RECORD.stages[1].model_copy(update={"attempts": 1})]},
            "stages.train[EWR/logistic]: plain has ('success', 2), airflow has ('success', 1)",
        ),
    ],
)
def test_difference_is_told_with_its_field_and_both_values(fields: dict[str, Any], difference: str) -> None:
    assert records.differences(RECORD, changed(**fields)) == [difference]


def test_smallest_difference_of_a_score_is_told() -> None:
    evaluation = RECORD.model_dump()["evaluation"] | {"challenger": {"brier": 0.1 + 2**-56}}

    (difference,) = records.differences(RECORD, changed(evaluation=evaluation))

    assert difference.startswith("evaluation.challenger: ")


def test_missing_evaluation_is_told() -> None:
    assert any(line.startswith("evaluation") for line in records.differences(RECORD, changed(evaluation=None)))


def test_stages_come_in_the_pipelines_order_and_the_missing_were_skipped() -> None:
    given = [
        StageRecord(stage=stage, key=key, state="success", attempts=1)
        for stage, key in [("train", "JFK/a"), ("plan", None), ("train", "EWR/b"), ("ingest", None), ("train", "EWR/a")]
    ]

    ordered = records.in_order(given)

    assert [(stage.stage, stage.key, stage.state, stage.attempts) for stage in ordered] == [
        ("ingest", None, "success", 1),
        ("validate", None, "skipped", 0),
        ("features", None, "skipped", 0),
        ("plan", None, "success", 1),
        ("train", "EWR/a", "success", 1),
        ("train", "EWR/b", "success", 1),
        ("train", "JFK/a", "success", 1),
        ("evaluate", None, "skipped", 0),
        ("deploy", None, "skipped", 0),
    ]


def test_run_without_any_stage_skipped_them_all() -> None:
    assert [stage.stage for stage in records.in_order([])] == list(STAGES)


def test_outcome_names_the_deployed_champion(in_service: Any) -> None:
    _, evaluation, deployment = in_service

    champion = records.champion_record(evaluation, deployment)

    assert champion is not None
    assert (champion.version, champion.fingerprint) == ("1", evaluation.challenger_fingerprint)


def test_outcome_of_a_kept_champion_names_it_with_its_own_fingerprint(in_service: Any) -> None:
    kept = in_service.evaluation.model_copy(update={"champion_version": "5", "champion_fingerprint": "c" * 64})

    champion = records.champion_record(kept, None)

    assert champion is not None
    assert (champion.version, champion.fingerprint) == ("5", "c" * 64)


def test_outcome_without_a_champion_has_none(in_service: Any) -> None:
    assert records.champion_record(in_service.evaluation, None) is None
    assert records.outcome({}, None, None, None) == {
        "inputs": {},
        "evaluation": None,
        "champion": None,
        "tracking": None,
    }


def test_path_names_tool_and_month(tmp_path: Path) -> None:
    assert records.path_of("dagster", "2013-06", tmp_path) == tmp_path / "records" / "dagster" / "2013-06.json"
