"""Dagster checks all definitions of a file when it loads them, and a run's configuration before the run starts."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from dagster._cli import definitions

from tests.mistakes import HERE, Mistake, Seen, python, shortened, timed

CHECKED = "what `dg check defs` prints"
RAISED = "the exception that `materialize` raises"


class Dagster:
    """What a person does with a file: check it by the command line, and run it."""

    def __init__(self, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
        self.log, self.screen = caplog, capsys

    def load(self, file: Path) -> Seen | None:
        """What `dg check defs` finds, which is `dagster definitions validate` with other arguments; None if nothing."""
        message, seconds = timed(lambda: self.validate(file))
        return Seen(message, "loading", seconds) if message else None

    def validate(self, file: Path) -> str:
        self.log.clear()
        try:
            definitions.definitions_validate_command_impl("info", "colored", True, False, python_file=(str(file),))
        except SystemExit:
            found = [record.getMessage() for record in self.log.records if record.levelno == logging.ERROR]
            return shortened(found[0], file)
        return ""

    def run(self, file: Path) -> Seen:
        """What `python file.py` tells, with Dagster loaded already."""
        self.screen.readouterr()
        message, seconds = timed(lambda: python(file))
        begun = "STEP_START" in self.screen.readouterr().err
        return Seen(message, "run" if begun else "start", seconds)


@pytest.fixture
def dagster(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Dagster:
    # The command would change the loggers of all tests of this process.
    monkeypatch.setattr(definitions, "configure_loggers", lambda **settings: None)
    monkeypatch.setattr(logging, "captureWarnings", lambda capture: None)
    monkeypatch.setenv("DAGSTER_IS_DEFS_VALIDATION_CLI", "1")
    monkeypatch.setattr(logging.getLogger("dagster"), "propagate", True)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)  # of an earlier test
    return Dagster(caplog, capsys)


def test_no_mistake(dagster: Dagster) -> None:
    """Comes first, so that no mistake's seconds are those of what Dagster loads once."""
    right = HERE / "dagster" / "no_mistake.py"
    assert dagster.load(right) is None
    assert dagster.run(right).message == ""


def test_cycle(dagster: Dagster, mistake: Mistake) -> None:
    seen = dagster.load(mistake.file)
    assert seen
    assert "Circular dependencies exist" in seen.message
    mistake.seen(replace(seen, message=in_order(seen.message)), CHECKED)


def in_order(message: str) -> str:
    """The message with the assets of its cycle, which come from a set, in one order."""
    head, items = message.split("items: ")
    return f"{head}items: {{{', '.join(sorted(items[1:-1].split(', ')))}}}"


def test_unknown_parameter(dagster: Dagster, mistake: Mistake) -> None:
    assert dagster.load(mistake.file) is None
    seen = dagster.run(mistake.file)
    assert 'unexpected config entry "mnth"' in seen.message
    mistake.seen(seen, RAISED)


def test_wrong_type(dagster: Dagster, mistake: Mistake) -> None:
    assert dagster.load(mistake.file) is None
    seen = dagster.run(mistake.file)
    assert 'not valid for expected type "Int"' in seen.message
    mistake.seen(seen, RAISED)


def test_missing_dependency(dagster: Dagster, mistake: Mistake) -> None:
    seen = dagster.load(mistake.file)
    assert seen
    assert "Did you mean one of the following?" in seen.message
    mistake.seen(seen, CHECKED)


def test_exception(dagster: Dagster, mistake: Mistake) -> None:
    assert dagster.load(mistake.file) is None
    seen = dagster.run(mistake.file)
    assert "in average" in seen.message
    mistake.seen(seen, RAISED)


def test_bad_cron(dagster: Dagster, mistake: Mistake) -> None:
    seen = dagster.load(mistake.file)
    assert seen
    assert "invalid cron schedule" in seen.message
    mistake.seen(seen, CHECKED)


def test_duplicate_name(dagster: Dagster, mistake: Mistake) -> None:
    seen = dagster.load(mistake.file)
    assert seen
    assert "Asset key count is defined multiple times" in seen.message
    mistake.seen(seen, CHECKED)


def test_unserialisable_result(dagster: Dagster, mistake: Mistake) -> None:
    assert dagster.load(mistake.file) is None
    seen = dagster.run(mistake.file)
    assert "cannot pickle '_io.TextIOWrapper' object" in seen.message
    mistake.seen(seen, RAISED)


def test_import_error(dagster: Dagster, mistake: Mistake) -> None:
    seen = dagster.load(mistake.file)
    assert seen
    assert "No module named 'polers'" in seen.message
    mistake.seen(seen, CHECKED)


def test_missing_partition(dagster: Dagster, mistake: Mistake) -> None:
    assert dagster.load(mistake.file) is None
    seen = dagster.run(mistake.file)
    assert "Could not find a partition with key `2031-01`" in seen.message
    mistake.seen(seen, RAISED)
