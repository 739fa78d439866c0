"""A test of automations runs again if it fails while the server's database is locked for too long, and only then."""

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from tests.live.prefect import again_if_the_database_was_locked


def given_up_event(home: Path) -> None:
    (home / "dlq").mkdir(exist_ok=True)
    (home / "dlq" / uuid4().hex).touch()


def failed_request(home: Path) -> None:
    with (home / "server-4200.log").open("a") as log:
        log.write("sqlite3.OperationalError: database is locked\n")


def other_trouble(home: Path) -> None:
    with (home / "server-4200.log").open("a") as log:
        log.write("sqlite3.OperationalError: no such table: flow\n")


@pytest.mark.parametrize(
    ("troubles", "runs"),
    [
        ([given_up_event, other_trouble], 2),
        ([failed_request, other_trouble], 2),
        ([other_trouble], 1),
        ([given_up_event, failed_request, failed_request], 3),
    ],
)
def test_test_of_automations_runs_again_only_if_the_database_was_locked(
    troubles: list[Callable[[Path], None]], runs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "PREFECT_HOME", str(tmp_path))
    folders = []

    @again_if_the_database_was_locked
    def fails(tmp_path: Path) -> None:
        folders.append(tmp_path)
        troubles[len(folders) - 1](Path(os.environ["PREFECT_HOME"]))
        raise AssertionError("never told")

    with pytest.raises(AssertionError, match="never told"):
        fails(tmp_path=tmp_path)
    assert len(folders) == len(set(folders)) == runs
