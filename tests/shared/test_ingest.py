"""Stage 1: whole, unchanged files in the store, or one clear error and nothing in the store."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.contracts import PermanentError
from shared.settings import Settings
from shared.stages.ingest import ingest

MONTH = "2013-05"
Change = Callable[[bytes], bytes]


def test_reads_the_months_and_the_lookup_tables_unchanged(vendor: Path, settings: Settings) -> None:
    batch = ingest(MONTH, settings)

    assert batch.window == ("2013-02", "2013-03", "2013-04")
    months = [f"{table}/{month}.csv" for month in (*batch.window, MONTH) for table in ("flights", "weather")]
    assert set(batch.inputs) == {*months, "planes.csv", "airports.csv", "airlines.csv"}
    for file in batch.files:
        original = (vendor / file.name).read_bytes()
        assert (settings.store / file.path).read_bytes() == original
        assert file.sha256 == hashlib.sha256(original).hexdigest()


def test_window_is_shorter_at_the_start_of_the_data(settings: Settings) -> None:
    batch = ingest("2013-02", settings)

    assert batch.window == ("2013-01",)
    assert "flights/2013-03.csv" not in batch.inputs


def test_second_time_touches_no_file(settings: Settings, files_in: Callable[[Path], dict[str, int]]) -> None:
    first = ingest(MONTH, settings)
    before = files_in(settings.store)

    assert ingest(MONTH, settings) == first
    assert files_in(settings.store) == before


def test_changed_file_is_kept_beside_the_old_one(source: Path, settings: Settings) -> None:
    settings = settings.model_copy(update={"source": str(source)})
    old = ingest(MONTH, settings)
    (source / "airlines.csv").write_text("carrier,name\nUA,United\n")

    new = ingest(MONTH, settings)

    assert new.inputs["airlines.csv"] != old.inputs["airlines.csv"]
    assert all((settings.store / file.path).exists() for file in (*old.files, *new.files))


@pytest.mark.parametrize(
    ("month", "missing", "words"),
    [
        ("2013-04", "flights/2013-04.csv", ["flights/2013-04.csv", "missing", "ask for another month"]),
        ("2013-04", "flights/2013-02.csv", ["flights/2013-02.csv", "missing", "add it"]),
        ("2013-04", "weather/2013-03.csv", ["weather/2013-03.csv", "missing", "add it"]),
        ("2013-04", "planes.csv", ["planes.csv", "missing", "add it"]),
        ("2013-06", None, ["flights/2013-06.csv", "missing", "ask for another month"]),
        ("2013-01", None, ["flights/2012-12.csv", "at least one month before", "ask for a later month"]),
        ("1999-01", None, ["flights/1999-01.csv", "missing", "ask for another month"]),
    ],
    ids=["target", "gap", "weather", "lookup", "next-month", "first-month", "another-year"],
)
def test_missing_file_is_named_and_nothing_is_stored(
    source: Path, settings: Settings, month: str, missing: str | None, words: list[str]
) -> None:
    if missing:
        (source / missing).unlink()

    says(month, source, settings, words)


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2].rstrip(b"\n")


def html(data: bytes) -> bytes:
    return b"\n<!DOCTYPE html><html><body>Please sign in</body></html>\n"


def latin1(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join([*lines[:2], b"M\xfcnchen", *lines[2:]])


@pytest.mark.parametrize("name", ["flights/2013-05.csv", "weather/2013-02.csv", "airlines.csv"])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (cut, ["truncated", "does not end", "get the file again"]),
        (html, ["HTML", "expected csv", "address"]),
        (lambda data: b"", ["empty", "expected a csv file", "get it again"]),
        (lambda data: b" \n\n", ["empty", "expected a csv file"]),
        (latin1, ["0xfc", "line 3", "expected UTF-8"]),
    ],
    ids=["truncated", "html", "empty", "blank", "latin1"],
)
def test_file_that_is_no_whole_csv_is_named_and_nothing_is_stored(
    source: Path, settings: Settings, name: str, spoil: Change, words: list[str]
) -> None:
    (source / name).write_bytes(spoil((source / name).read_bytes()))

    says(MONTH, source, settings, [name, *words])


def says(month: str, source: Path, settings: Settings, words: list[str]) -> None:
    with pytest.raises(PermanentError) as error:
        ingest(month, settings.model_copy(update={"source": str(source)}))
    assert [word for word in words if word not in str(error.value)] == []
    assert "\n" not in str(error.value)
    assert not settings.store.exists()
