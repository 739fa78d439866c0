"""Stage 2: every broken rule is told at once, with file, column, check and lines; the bad batch is kept aside."""

import csv
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.contracts import Batch, PermanentError, Validated
from shared.lib import tables
from shared.lib.source import LOOKUPS
from shared.settings import Settings
from shared.stages.ingest import ingest
from shared.stages.validate import PSI_LIMIT, InvalidBatchError, failures_of, psi, validate

MONTH = "2013-02"  # its window is one month: the smallest batch
FLIGHTS, WEATHER = "flights/2013-02.csv", "weather/2013-02.csv"
NUMBERS = {
    table: [name for name, dtype in tables.types(table).items() if dtype.is_numeric()] for table in tables.TABLES
}
Cells = Callable[[Path, str, dict[int, str]], None]


@pytest.fixture
def source(vendor: Path, tmp_path: Path) -> Path:
    """The head of each file: enough to break rules in, and quick to check."""
    for name in (FLIGHTS, WEATHER, "flights/2013-01.csv", "weather/2013-01.csv", *LOOKUPS):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(head(vendor, name))
    return tmp_path / "source"


def head(folder: Path, name: str) -> bytes:
    return b"".join((folder / name).read_bytes().splitlines(keepends=True)[:200])


def batch_of(source: Path, settings: Settings) -> Batch:
    return ingest(MONTH, settings.model_copy(update={"source": str(source)}))


def run(source: Path, settings: Settings) -> Validated:
    return validate(batch_of(source, settings), settings)


def says(source: Path, settings: Settings, words: list[str]) -> str:
    """The error's text, which holds the words in one line; only the spoilt files are checked, to be quick."""
    batch = batch_of(source, settings)
    spoilt = tuple(
        file for file in batch.files if (source / file.name).read_bytes() != head(Path(settings.source), file.name)
    )
    with pytest.raises(InvalidBatchError) as error:
        validate(batch.model_copy(update={"files": spoilt}), settings)
    assert [word for word in words if word not in str(error.value)] == []
    assert "\n" not in str(error.value)
    return str(error.value)


def test_good_batch_passes_with_its_row_counts(vendor: Path, settings: Settings) -> None:
    validated = run(vendor, settings)

    lines = {name: (vendor / name).read_bytes().count(b"\n") - 1 for name in validated.batch.inputs}
    assert validated.rows == lines
    assert not (settings.store / "quarantine").exists()


@pytest.mark.parametrize(
    ("file", "column", "value", "words"),
    [
        (FLIGHTS, "distance", "-5", ["must be greater than 0", "line 6: -5"]),
        (FLIGHTS, "distance", "NA", ["must not be empty", "line 6"]),
        (FLIGHTS, "distance", "far", ["must be of type Float64", "line 6: far"]),
        (FLIGHTS, "flight", "UA1117", ["must be of type Int64", "line 6: UA1117"]),
        (FLIGHTS, "sched_dep_time", "2500", ["must be less than or equal to 2359", "line 6: 2500"]),
        (FLIGHTS, "origin", "", ["must not be empty", "line 6"]),
        (FLIGHTS, "month", "3", ["year and month must be 2013-02", "line 6: 2013-03"]),
        (FLIGHTS, "year", "2012", ["year and month must be 2013-02", "line 6: 2012-02"]),
        (FLIGHTS, "time_hour", "2013-02-01 10:00", ["must match", "line 6: 2013-02-01 10:00"]),
        (WEATHER, "wind_speed", "-0.1", ["must be greater than or equal to 0", "line 6: -0.1"]),
        (WEATHER, "temp", "warm", ["must be of type Float64", "line 6: warm"]),
        ("planes.csv", "seats", "many", ["must be of type Int64", "line 6: many"]),
        ("airports.csv", "lat", "91", ["must be less than or equal to 90", "line 6: 91"]),
        ("airlines.csv", "carrier", "NA", ["must not be empty", "line 6"]),
    ],
)
def test_bad_cell_is_told_with_file_column_check_and_line(
    source: Path, settings: Settings, set_cells: Cells, file: str, column: str, value: str, words: list[str]
) -> None:
    set_cells(source / file, column, {6: value})

    says(source, settings, [file, column, "but 1 row breaks this", *words, "mend the source"])


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(("file", "column"), [(FLIGHTS, "arr_delay"), (WEATHER, "temp"), ("airports.csv", "alt")])
def test_number_that_is_not_finite_is_refused(
    source: Path, settings: Settings, set_cells: Cells, file: str, column: str, value: str
) -> None:
    set_cells(source / file, column, {6: value})

    says(source, settings, [file, column, "but 1 row breaks this", f"line 6: {value}"])


@pytest.mark.parametrize(
    ("file", "column", "value"),
    [
        (FLIGHTS, "day", "30"),
        (WEATHER, "day", "31"),
        (FLIGHTS, "time_hour", "2013-99-01T10:00:00Z"),
        (WEATHER, "time_hour", "2013-02-01T99:00:00Z"),
    ],
)
def test_time_that_does_not_exist_is_refused(
    source: Path, settings: Settings, set_cells: Cells, file: str, column: str, value: str
) -> None:
    set_cells(source / file, column, {6: value})

    says(source, settings, [file, column, "line 6"])


def test_count_and_first_three_lines_are_told_of_many_bad_rows(
    source: Path, settings: Settings, set_cells: Cells
) -> None:
    set_cells(source / FLIGHTS, "distance", dict.fromkeys(range(10, 20), "-1"))

    message = says(source, settings, ["but 10 rows break this", "line 10: -1", "line 11: -1", "line 12: -1"])
    assert "line 13" not in message


def without(column: str, table: pl.DataFrame) -> pl.DataFrame:
    return table.drop(column)


def with_extra(column: str, table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.lit("1").alias(column))


def renamed(old: str, new: str, table: pl.DataFrame) -> pl.DataFrame:
    return table.rename({old: new})


@pytest.mark.parametrize("file", [FLIGHTS, WEATHER])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (partial(without, "origin"), ["lacks the column origin"]),
        (partial(with_extra, "gate"), ["has the unknown column gate"]),
        (partial(renamed, "origin", "Origin"), ["lacks the column origin and has the unknown column Origin"]),
    ],
    ids=["missing", "extra", "renamed"],
)
def test_other_columns_are_told(
    source: Path, settings: Settings, file: str, change: Callable[[pl.DataFrame], pl.DataFrame], words: list[str]
) -> None:
    table = pl.read_csv(source / file, infer_schema=False)
    change(table).write_csv(source / file)

    says(source, settings, [file, *words])


@pytest.mark.parametrize("file", [FLIGHTS, WEATHER, "planes.csv", "airports.csv", "airlines.csv"])
def test_header_without_rows_is_refused(source: Path, settings: Settings, file: str) -> None:
    (source / file).write_bytes((source / file).read_bytes().splitlines(keepends=True)[0])

    says(source, settings, [f"{file} has a header but no rows"])


@pytest.mark.parametrize(
    ("file", "key"),
    [
        (FLIGHTS, ["the key (carrier, flight, origin, time_hour) must be unique"]),
        (WEATHER, ["the key (origin, time_hour) must be unique"]),
        ("planes.csv", ["column tailnum must be unique"]),
        ("airports.csv", ["column faa must be unique"]),
        ("airlines.csv", ["column carrier must be unique"]),
    ],
)
def test_duplicated_row_is_told_with_its_key_and_lines(
    source: Path, settings: Settings, file: str, key: list[str]
) -> None:
    lines = (source / file).read_bytes().splitlines(keepends=True)
    (source / file).write_bytes(b"".join([*lines[:8], lines[4], *lines[8:]]))

    says(source, settings, [file, *key, "line 5", "line 9"])


@pytest.mark.parametrize("file", [FLIGHTS, WEATHER, "planes.csv", "airlines.csv"])
@pytest.mark.parametrize("ragged", ["longer", "shorter"])
def test_ragged_line_is_refused(source: Path, settings: Settings, file: str, ragged: str) -> None:
    lines = (source / file).read_bytes().splitlines(keepends=True)
    line = lines[5].rstrip(b"\n")
    lines[5] = (line + b",1" if ragged == "longer" else line.rpartition(b",")[0]) + b"\n"
    (source / file).write_bytes(b"".join(lines))

    says(source, settings, [file])


def test_month_that_is_not_the_files_own_is_refused(source: Path, settings: Settings) -> None:
    shutil.copyfile(source / "flights/2013-01.csv", source / FLIGHTS)

    rows = (source / FLIGHTS).read_bytes().count(b"\n") - 1
    says(
        source, settings, [FLIGHTS, "year and month must be 2013-02", f"but {rows} rows break this", "line 2: 2013-01"]
    )


def test_all_failures_of_all_files_are_told_at_once(source: Path, settings: Settings, set_cells: Cells) -> None:
    set_cells(source / FLIGHTS, "distance", {6: "-5", 7: "far"})
    set_cells(source / FLIGHTS, "dest", {8: "NA"})
    set_cells(source / WEATHER, "visib", {9: "-1"})
    (source / "airlines.csv").write_text("code,name\nUA,United\n")

    says(
        source,
        settings,
        [
            "line 7: far",
            f"{FLIGHTS}: column dest",
            f"{WEATHER}: column visib",
            "airlines.csv lacks the column carrier and has the unknown column code",
        ],
    )


def test_wrong_type_does_not_hide_a_broken_range_of_the_same_column(
    source: Path, settings: Settings, set_cells: Cells
) -> None:
    set_cells(source / FLIGHTS, "distance", {6: "-5", 7: "far"})

    says(source, settings, ["line 6: -5", "line 7: far"])


def test_wrong_type_does_not_hide_an_empty_cell_of_the_same_column(
    source: Path, settings: Settings, set_cells: Cells
) -> None:
    set_cells(source / FLIGHTS, "distance", {6: "far", 7: "NA"})

    says(source, settings, ["line 6: far", "must not be empty", "line 7"])


def test_bad_files_and_a_report_are_kept_aside(source: Path, settings: Settings, set_cells: Cells) -> None:
    set_cells(source / FLIGHTS, "distance", {6: "-5"})
    set_cells(source / WEATHER, "temp", {7: "warm"})

    message = says(source, settings, [])

    aside = settings.store / "quarantine" / MONTH
    kept = {p.read_bytes() for p in aside.rglob("*.csv")}
    (report,) = aside.glob("report*.json")
    assert kept == {(source / FLIGHTS).read_bytes(), (source / WEATHER).read_bytes()}
    assert str(aside) in message
    assert [(f["file"], f["column"], f["count"], f["first"]) for f in json.loads(report.read_text())] == [
        (FLIGHTS, "distance", 1, ["line 6: -5.0"]),
        (WEATHER, "temp", 1, ["line 7: warm"]),
    ]


def test_bad_batch_leaves_nothing_half_written(
    source: Path, settings: Settings, set_cells: Cells, files_in: Callable[[Path], dict[str, int]]
) -> None:
    set_cells(source / FLIGHTS, "distance", {6: "-5"})

    says(source, settings, [])
    before = files_in(settings.store)
    says(source, settings, [])

    assert files_in(settings.store) == before
    assert [name for name in before if "tmp" in name or "features" in name] == []


def test_invalid_batch_is_permanent() -> None:
    assert issubclass(InvalidBatchError, PermanentError)


@given(data=st.data())
@pytest.mark.parametrize("file", [FLIGHTS, WEATHER, "planes.csv", "airports.csv"])
def test_any_text_in_a_number_column_is_told_with_its_line(vendor: Path, tmp_path: Path, file: str, data: Any) -> None:
    text = pl.read_csv(vendor / file, infer_schema=False, n_rows=40)
    junk = data.draw(
        st.text(st.characters(codec="utf-8", min_codepoint=32, exclude_characters='",\r\n'), min_size=1, max_size=8)
    )
    assume(junk != "NA" and not is_number(junk))
    column, row = data.draw(st.sampled_from(NUMBERS[tables.table_of(file)])), data.draw(st.integers(0, 39))
    path = tmp_path / "spoilt.csv"
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(text.columns)
        writer.writerows(
            [junk if (i, name) == (row, column) else value for name, value in line.items()]
            for i, line in enumerate(text.iter_rows(named=True))
        )

    (failure,) = failures_of(file, tables.read_text(path))

    assert (failure.file, failure.column, failure.count) == (file, column, 1)
    assert failure.first == (f"line {row + 2}: {junk}",)


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@given(
    odd=st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)).map(str)
    | st.from_regex(r"[+-]?[0-9]{0,3}\.?[0-9]{0,2}(e[+-]?[0-9])?", fullmatch=True),
    column=st.sampled_from(NUMBERS["weather"]),
)
def test_what_passes_can_be_read_in_the_tables_types(vendor: Path, tmp_path: Path, odd: str, column: str) -> None:
    text = pl.read_csv(vendor / WEATHER, infer_schema=False, n_rows=3)
    path = tmp_path / "odd.csv"
    text.with_columns(pl.Series(column, [odd, *text[column][1:]])).write_csv(path)
    valid = failures_of(WEATHER, tables.read_text(path)) == []

    assert not valid or tables.read(path, "weather").height == 3


def test_drift_is_a_warning_not_a_failure(source: Path, settings: Settings) -> None:
    hot = pl.read_csv(source / WEATHER, infer_schema=False, null_values="NA").with_columns(
        temp=pl.col("temp").cast(float) + 50
    )
    hot.write_csv(source / WEATHER, null_value="NA")

    validated = run(source, settings)

    (temp,) = [line for line in validated.warnings if "weather.temp" in line]
    assert f"PSI {validated.drift['weather.temp']:.2f}" in temp
    assert "has drifted in 2013-02" in temp
    assert str(PSI_LIMIT) in temp


def test_a_month_like_the_one_before_has_no_drift(source: Path, settings: Settings) -> None:
    for table in ("flights", "weather"):
        text = (source / table / "2013-01.csv").read_text()
        moved = text.replace("2013,1,", "2013,2,").replace("2013-01-", "2013-02-")
        (source / table / "2013-02.csv").write_text(moved)

    validated = run(source, settings)

    assert validated.warnings == ()
    assert set(validated.drift.values()) == {0.0}


def test_far_fewer_rows_than_before_are_a_warning(source: Path, settings: Settings) -> None:
    lines = (source / FLIGHTS).read_bytes().splitlines(keepends=True)
    (source / FLIGHTS).write_bytes(b"".join(lines[: len(lines) // 4]))

    warnings = run(source, settings).warnings

    assert any(line.startswith("flights has ") and "less than half" in line for line in warnings)


samples = st.lists(st.integers(-1000, 1000), min_size=1, max_size=60).map(np.array)


@given(samples)
def test_psi_of_a_sample_and_itself_is_zero(sample: np.ndarray) -> None:
    assert psi(sample, sample) == 0


@given(samples, samples)
def test_psi_is_never_negative(one: np.ndarray, other: np.ndarray) -> None:
    assert psi(one, other) >= 0


@given(samples, samples, st.randoms())
def test_psi_does_not_depend_on_the_rows_order(one: np.ndarray, other: np.ndarray, random: Any) -> None:
    shuffled = np.array(random.sample(other.tolist(), len(other)))

    assert psi(one, shuffled) == psi(one, other)


@given(samples, samples)
def test_psi_does_not_depend_on_the_unit(one: np.ndarray, other: np.ndarray) -> None:
    assert psi(one * 2, other * 2) == psi(one, other)


def test_psi_of_two_known_samples() -> None:
    expected, actual = np.array([0, 1] * 50), np.array([0] * 80 + [1] * 20)

    assert psi(expected, actual, bins=2) == pytest.approx(0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5))


def test_psi_of_samples_without_overlap_is_above_the_limit() -> None:
    assert psi(np.arange(100), np.arange(1000, 1100)) > PSI_LIMIT


def test_psi_of_an_empty_sample_is_zero() -> None:
    assert psi(np.array([]), np.arange(5)) == psi(np.arange(5), np.array([])) == 0
