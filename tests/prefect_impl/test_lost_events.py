"""A test of automations runs again if it fails while the server gives up an event, and only then."""

import os
from pathlib import Path
from uuid import uuid4

import pytest

from tests.live.prefect import again_if_an_event_was_lost


@pytest.mark.parametrize(("losses", "runs"), [([True, False], 2), ([False], 1), ([True, True, True], 3)])
def test_test_of_automations_runs_again_only_if_an_event_was_lost(
    losses: list[bool], runs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "PREFECT_HOME", str(tmp_path))
    (tmp_path / "dlq").mkdir()
    folders = []

    @again_if_an_event_was_lost
    def fails(tmp_path: Path) -> None:
        folders.append(tmp_path)
        if losses[len(folders) - 1]:
            (Path(os.environ["PREFECT_HOME"]) / "dlq" / uuid4().hex).touch()
        raise AssertionError("never told")

    with pytest.raises(AssertionError, match="never told"):
        fails(tmp_path=tmp_path)
    assert len(folders) == len(set(folders)) == runs
