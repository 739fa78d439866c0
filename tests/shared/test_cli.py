"""The run commands: a user's mistake is one sentence and exit code 1, and every run leaves a record and a summary."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared import plain
from shared.contracts import PermanentError
from shared.runtime import cli, records
from shared.settings import Settings

MONTH = "2013-05"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
STATES = ("success", "failed", "success")


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """The command takes SIGTERM for an interrupt: not so the tests after these."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str | int | None:
    """The exit code of the command: a text stands for code 1, written to stderr."""
    monkeypatch.setattr("sys.argv", ["plain", *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.main("plain", plain.run)
    return exit_.value.code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["2013-13"], ["month is '2013-13'", "expected year and month such as 2013-06"]),
        (["2013-05", "june"], ["month is 'june'", "expected year and month"]),
        (["2013-05", "--min-rows", "0"], ["min_rows", "0", "1"]),
    ],
)
def test_mistake_is_told_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, vendor: Path, arguments: list[str], words: list[str]
) -> None:
    message = run(monkeypatch, *arguments, "--source", str(vendor))

    assert isinstance(message, str)
    assert message.startswith("error: ")
    assert "\n" not in message
    assert [word for word in words if word not in message] == []
    assert not settings.store.exists()
    assert not (settings.home / "records").exists()


@pytest.mark.parametrize("arguments", [[], ["2013-05", "--min-rows", "many"], ["2013-05", "--nonsense"]])
def test_wrong_arguments_show_the_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(monkeypatch, *arguments) == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["2014-01"], ["flights/2014-01.csv is missing"]),
        ([MONTH, "--min-rows", "99999"], ["no candidate to train for 2013-05", "99999"]),
    ],
)
def test_failed_run_is_exit_code_1_with_its_error_and_record(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settings: Settings,
    vendor: Path,
    arguments: list[str],
    words: list[str],
) -> None:
    assert run(monkeypatch, *arguments, "--source", str(vendor)) == 1

    record = records.read("plain", arguments[0], settings.home)
    assert record.state == "failed"
    assert record.error is not None
    assert [word for word in words if word not in record.error] == []
    assert f"  error       {record.error}\n" in capsys.readouterr().out


def test_run_that_fails_does_not_stop_the_following_month(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, vendor: Path
) -> None:
    assert run(monkeypatch, "2013-01", "2014-01", "--source", str(vendor)) == 1

    errors = [records.read("plain", month, settings.home).error for month in ("2013-01", "2014-01")]
    assert errors[0] is not None
    assert errors[1] is not None
    assert "flights/2012-12.csv is missing" in errors[0]
    assert "flights/2014-01.csv is missing" in errors[1]


def test_relative_source_is_found(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, vendor: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(vendor.parent)

    run(monkeypatch, "2013-01", "--source", vendor.name)

    assert f"missing at the source {vendor}" in capsys.readouterr().out


def test_summary_tells_decision_champion_and_record(in_service: Any) -> None:
    _, evaluation, deployment = in_service
    trained = [{"stage": "train", "key": f"{n}", "state": state, "attempts": 1} for n, state in enumerate(STATES)]
    record = records.RunRecord.model_validate(
        {
            **{"tool": "plain", "tool_version": "Python 3", "month": MONTH, "run_id": "", "state": "success"},
            **{"started": NOON, "ended": NOON + timedelta(seconds=2), "stages": trained, "error": None},
            **records.outcome({}, None, evaluation, deployment),
        }
    )

    assert cli.summary(record, Path("records/plain/2013-05.json")).splitlines() == [
        "",
        "plain Python 3, 2013-05: success in 2.0 s",
        "  candidates  2 of 3 trained",
        f"  decision    promote (Brier score: challenger {evaluation.challenger.brier:.4f}, champion none, "
        f"base rate {evaluation.base_rate.brier:.4f})",
        f"  champion    version 1, fingerprint {evaluation.challenger_fingerprint[:12]}",
        "  record      records/plain/2013-05.json",
    ]


def test_error_of_the_pipeline_itself_reaches_the_user_as_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(month: str, settings: Settings) -> records.RunRecord:
        raise PermanentError("the tool is not set up; run make")

    monkeypatch.setattr("sys.argv", ["plain", MONTH])
    with pytest.raises(SystemExit, match="error: the tool is not set up; run make"):
        cli.main("plain", refuses)
