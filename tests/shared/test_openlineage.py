"""The names and facets of the pipeline's datasets, and where events go."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.runtime import openlineage
from shared.runtime.openlineage import dataset_name, event
from shared.settings import Settings
from tests.openlineage import problems, read_events, switched_on

RUN, PARENT = "0196c000-0000-7000-8000-000000000001", "0196c000-0000-7000-8000-000000000000"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """The file to which events go in this test."""
    with switched_on(tmp_path / "events"):
        yield tmp_path / "events"


def test_nothing_is_sent_or_loaded_unless_a_variable_says_where_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise AssertionError("the client is made")

    monkeypatch.setattr(openlineage, "client", refuse)
    with openlineage.reported("job", Settings()) as made:
        assert made == []


def test_disabled_beats_a_place_for_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    assert openlineage.is_on()
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    assert not openlineage.is_on()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/data/é b.csv", ("file", "/data/é b.csv")),
        ("file:///data/b%20c.csv", ("file", "/data/b c.csv")),
        ("s3://bucket/a/b.csv", ("s3://bucket", "a/b.csv")),
        ("https://user:secret@host:8080/a.csv", ("https://host:8080", "a.csv")),
        ("app://features", ("app", "features")),
    ],
)
def test_name_of_a_dataset_follows_its_url_without_password(url: str, name: tuple[str, str]) -> None:
    assert dataset_name(url) == name


def test_failed_block_is_told_with_its_error_and_still_raises(log: Path) -> None:
    whole = (PARENT, "whole")
    with pytest.raises(ValueError, match="no such"), openlineage.reported("job", Settings(), RUN, parent=whole):
        raise ValueError("no such column")
    start, fail = read_events(log)
    assert problems([start, fail]) == []
    assert (start["eventType"], fail["eventType"]) == ("START", "FAIL")
    assert fail["run"]["facets"]["errorMessage"]["message"] == "no such column"
    assert fail["run"]["facets"]["parent"]["run"]["runId"] == PARENT


def test_interrupted_block_is_aborted(log: Path) -> None:
    with pytest.raises(KeyboardInterrupt), openlineage.reported("job", Settings()):
        raise KeyboardInterrupt
    assert [each["eventType"] for each in read_events(log)] == ["START", "ABORT"]


def test_event_that_cannot_be_sent_costs_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(tmp_path / "missing" / "events"))
    with caplog.at_level(logging.WARNING):
        openlineage.emit(event("START", datetime.now(UTC), RUN, "job"))
    assert "an OpenLineage event of job was not sent" in caplog.text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"eventTime": "yesterday"}, "is not a 'date-time'"),
        ({"producer": "not a uri"}, "is not a 'uri'"),
        ({"run": {"runId": "7"}}, "is not a 'uuid'"),
        ({"run": {"runId": RUN, "facets": {"errorMessage": {"message": "m"}}}}, "no schema at None"),
        ({"eventType": "RUNNING"}, "does not begin with its one START"),
    ],
)
def test_what_the_standard_forbids_is_found(log: Path, change: dict[str, object], problem: str) -> None:
    openlineage.emit(event("START", datetime.now(UTC), RUN, "job"), event("COMPLETE", datetime.now(UTC), RUN, "job"))
    start, end = read_events(log)
    assert problems([start, end]) == []
    assert problem in json.dumps(problems([start | change, end]))
