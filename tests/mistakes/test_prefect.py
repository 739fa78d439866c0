"""Prefect reads no graph from a file: what is wrong shows when the flow is called, often in Python's own words."""

import logging
from pathlib import Path

import pytest

from tests.mistakes import HERE, Mistake, Seen, python, timed

LOADED = "the exception with which `python file.py`, or `prefect deploy`, ends"
RAISED = "the exception with which `python file.py` ends"
RUN = "the run succeeds; this is what it prints and logs"


class Prefect:
    """What a person does with a file: load it, as `prefect deploy` and each worker do, and run it."""

    def __init__(self, log: pytest.LogCaptureFixture, screen: pytest.CaptureFixture[str]) -> None:
        self.log, self.screen = log, screen

    def load(self, file: Path) -> Seen | None:
        """What Python tells when the file is imported; None if nothing."""
        message, seconds = timed(lambda: python(file, "flights"))
        return Seen(message, "loading", seconds) if message else None

    def run(self, file: Path) -> Seen:
        """What `python file.py` tells, with Prefect loaded already and its server up."""
        self.log.clear()
        self.screen.readouterr()
        raised, seconds = timed(lambda: python(file))
        tasks = [record for record in self.log.records if record.name == "prefect.task_runs"]
        if raised:
            return Seen(raised, "run" if tasks else "start", seconds)
        assert not [record for record in tasks if record.levelno >= logging.ERROR]
        ends = [f"{record.__dict__['task_name']}: {record.getMessage()}" for record in tasks]
        return Seen(self.screen.readouterr().out + "\n".join(ends), "never", seconds)


@pytest.fixture
def prefect(results: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Prefect:
    return Prefect(caplog, capsys)


def test_no_mistake(prefect: Prefect) -> None:
    """Comes first, so that no mistake's seconds are those of what Prefect loads once."""
    right = HERE / "prefect" / "no_mistake.py"
    assert prefect.load(right) is None
    seen = prefect.run(right)
    assert seen.when == "never"
    assert seen.message.startswith("28 flights\n")


def test_cycle(prefect: Prefect, mistake: Mistake) -> None:
    assert prefect.load(mistake.file) is None
    seen = prefect.run(mistake.file)
    assert "cannot access local variable 'reported'" in seen.message
    mistake.seen(seen, RAISED)


def test_unknown_parameter(prefect: Prefect, mistake: Mistake) -> None:
    assert prefect.load(mistake.file) is None
    seen = prefect.run(mistake.file)
    assert "unexpected keyword argument 'mnth'" in seen.message
    mistake.seen(seen, RAISED)


def test_wrong_type(prefect: Prefect, mistake: Mistake) -> None:
    assert prefect.load(mistake.file) is None
    seen = prefect.run(mistake.file)
    assert "days: Input should be a valid integer" in seen.message
    mistake.seen(seen, RAISED)


def test_missing_dependency(prefect: Prefect, mistake: Mistake) -> None:
    assert prefect.load(mistake.file) is None
    seen = prefect.run(mistake.file)
    assert "name 'cuonted' is not defined" in seen.message
    mistake.seen(seen, RAISED)


def test_exception(prefect: Prefect, mistake: Mistake) -> None:
    assert prefect.load(mistake.file) is None
    seen = prefect.run(mistake.file)
    assert "in average" in seen.message
    mistake.seen(seen, RAISED)


def test_bad_cron(prefect: Prefect, mistake: Mistake) -> None:
    assert prefect.load(mistake.file) is None
    seen = prefect.run(mistake.file)
    assert "Invalid cron string" in seen.message
    mistake.seen(seen, RAISED)


def test_duplicate_name(prefect: Prefect, mistake: Mistake) -> None:
    assert prefect.load(mistake.file) is None
    seen = prefect.run(mistake.file)
    assert seen.message.count("count: Finished in state Completed()") == 2
    mistake.harmless(seen, RUN)


def test_unserialisable_result(prefect: Prefect, mistake: Mistake) -> None:
    assert prefect.load(mistake.file) is None
    seen = prefect.run(mistake.file)
    assert f"{len(mistake.file.read_text('utf-8').splitlines())} lines" in seen.message
    mistake.harmless(seen, RUN)


def test_import_error(prefect: Prefect, mistake: Mistake) -> None:
    seen = prefect.load(mistake.file)
    assert seen
    assert "No module named 'polers'" in seen.message
    mistake.seen(seen, LOADED)


def test_missing_partition(prefect: Prefect, mistake: Mistake) -> None:
    assert prefect.load(mistake.file) is None
    seen = prefect.run(mistake.file)
    assert "counts the flights of 2031-01" in seen.message
    mistake.seen(seen, RUN)
