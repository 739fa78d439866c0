"""The features' table: from which source columns each of its columns comes, held against the real join."""

from typing import Any

import polars as pl
import pytest

from shared.lib import tables
from shared.lib.feature_table import FEATURE_COLUMNS, ORIGINS, WEATHER
from shared.stages.features import join

ROWS: dict[str, dict[str, Any]] = {
    "flights": {
        **{"year": 2013, "month": 1, "day": 1, "sched_dep_time": 1000, "sched_arr_time": 1130, "arr_delay": 15},
        **{"carrier": "UA", "tailnum": "N1", "origin": "EWR", "dest": "ATL", "distance": 746},
        "time_hour": "2013-01-01T13:00:00Z",
    },
    "weather": {**dict.fromkeys(WEATHER, 1), "origin": "EWR", "time_hour": "2013-01-01T10:00:00Z"},
    "planes": {"tailnum": "N1", "year": 2003, "seats": 55},
    "airports": {"faa": "ATL", "lat": 33.6, "lon": -84.4},
}
"""A flight with all that is looked up for it; the columns that are not here are 0 or empty."""

COLUMNS = [f"{table}.{column}" for table in ROWS for column in tables.types(table)]


def joined(changed: str = "") -> dict[str, Any]:
    """The flight's row, with another value in one column of the source."""
    (row,) = join(*(frame(table, changed) for table in ("flights", "weather", "planes", "airports"))).to_dicts()
    return row


def frame(table: str, changed: str) -> pl.DataFrame:
    types = tables.types(table)
    row = {name: "" if dtype == pl.String else 0 for name, dtype in types.items()} | ROWS[table]
    found, column = pl.DataFrame([row], schema=types), changed.removeprefix(f"{table}.")
    return found.with_columns(other(column, types[column])) if column in types else found


def other(column: str, dtype: pl.DataType) -> pl.Expr:
    if column == "time_hour":
        return pl.col(column).str.replace("T1", "T0")
    return pl.col(column) + (pl.lit("X") if dtype == pl.String else 1)


@pytest.mark.parametrize("source_column", COLUMNS)
def test_a_source_column_changes_the_columns_that_come_from_it_and_no_other(source_column: str) -> None:
    before, after = joined(), joined(source_column)

    changed = {name for name in before if before[name] != after[name]}
    assert changed == {name for name, columns in ORIGINS.items() if source_column in columns}


def test_each_column_has_its_origins_in_the_source() -> None:
    assert list(ORIGINS) == ["month", "date", "late", *FEATURE_COLUMNS]
    assert {column for columns in ORIGINS.values() for column in columns} <= set(COLUMNS)
