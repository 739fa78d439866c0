"""Stage 2, `validate`: schema, ranges, keys and row counts; drift against the months before is only a warning."""

import json
import logging
from collections.abc import Iterator

import numpy as np
import pandera.errors
import polars as pl

from shared.contracts import Batch, Contract, File, PermanentError, Validated
from shared.lib import store, tables
from shared.settings import Settings

PSI_LIMIT = 0.25  # above it a distribution counts as shifted: Siddiqi, Credit Risk Scorecards (2006)
DRIFT_COLUMNS = {"flights": ("sched_dep_time", "distance", "arr_delay"), "weather": ("temp", "wind_speed", "visib")}

log = logging.getLogger(__name__)


class Failure(Contract):
    """One rule that a file breaks: in how many rows, and the first of them (line numbers of the csv file)."""

    file: str
    column: str
    check: str
    count: int
    first: tuple[str, ...]

    def __str__(self) -> str:
        where = f" ({', '.join(self.first)})" if self.first else ""
        return f"{self.file}: column {self.column} fails {self.check} in {self.count} rows{where}"


class InvalidBatchError(PermanentError):
    """Names every rule that the batch breaks; `report` is the file that lists them."""


def validate(batch: Batch, settings: Settings) -> Validated:
    """Check every file of the batch against its table's rules, all failures at once.

    Raises InvalidBatchError after the bad files and a report were put aside in the store's `quarantine/<month>`.
    """
    frames: dict[str, pl.DataFrame] = {}
    failures: list[Failure] = []
    for file in batch.files:
        try:
            text = tables.read_text(settings.store / file.path)
        except pl.exceptions.PolarsError as error:
            said = str(error).splitlines()[0]
            failures.append(Failure(file=file.name, column="all", check=f"reading as csv: {said}", count=1, first=()))
            continue
        found = failures_of(file.name, text)
        failures += found
        if not found:
            frames[file.name] = tables.read(settings.store / file.path, tables.table_of(file.name))
    if failures:
        raise put_aside(batch, failures, settings)
    indexes = drift(batch, frames)
    warnings = tuple(warnings_of(batch, frames, indexes))
    for warning in warnings:
        log.warning("%s", warning)
    rows = {name: frame.height for name, frame in frames.items()}
    log.info("%s: %d files valid, %d flights, %d warnings", batch.month, len(rows), flights_in(rows), len(warnings))
    return Validated(batch=batch, rows=rows, drift=indexes, warnings=warnings)


def flights_in(rows: dict[str, int]) -> int:
    return sum(count for name, count in rows.items() if name.startswith("flights/"))


def failures_of(name: str, text: pl.DataFrame) -> list[Failure]:
    """All rules that one file breaks; `text` holds its values as strings."""
    table = tables.table_of(name)
    types = tables.types(table)
    missing, extra = [c for c in types if c not in text.columns], [c for c in text.columns if c not in types]
    if missing or extra:
        check = f"its schema: found {names(extra) or 'nothing'} instead of {names(missing) or 'nothing'}"
        return [Failure(file=name, column=names(missing) or names(extra), check=check, count=text.height, first=())]
    if text.is_empty():
        return [Failure(file=name, column="all", check="at least one row", count=0, first=())]
    if short := (text[text.columns[-1]] == "").arg_true().to_list():
        return [failure(name, text.columns[-1], f"{len(types)} values in each line (NA for none)", short, None)]
    text = text.select(pl.all().replace(["NA", ""], None))
    typed = text.select(pl.col(column).cast(dtype, strict=False) for column, dtype in types.items())
    wrong_type = [its for column in types if (its := wrong_type_of(name, text[column], typed[column]))]
    return wrong_type + broken_rules(name, typed, text) + wrong_times(name, typed)


def names(columns: list[str]) -> str:
    return ", ".join(columns)


def wrong_type_of(name: str, text: pl.Series, typed: pl.Series) -> Failure | None:
    wrong = typed.is_null() | ~typed.is_finite() if typed.dtype.is_float() else typed.is_null()
    rows = (text.is_not_null() & wrong).arg_true()
    check = f"type {typed.dtype}"
    return failure(name, text.name, check, rows.to_list(), text) if len(rows) else None


def broken_rules(name: str, typed: pl.DataFrame, text: pl.DataFrame) -> list[Failure]:
    """pandera's findings, but for those values that are null only because they have a wrong type."""
    try:
        tables.TABLES[tables.table_of(name)].validate(typed, lazy=True)
    except pandera.errors.SchemaErrors as error:
        of_column = pl.when(pl.col("schema_context") == "Column").then("column")
        by_rule = error.failure_cases.group_by(of_column, "check", maintain_order=True).agg("index")
        found = [
            (column, check, [row for row in rows if check != "not_nullable" or text[column][row] is None])
            for column, check, rows in by_rule.iter_rows()
        ]
        return [
            failure(name, column or "all", rule_name(name, check), rows, typed[column] if column else None)
            for column, check, rows in found
            if rows
        ]
    return []


def rule_name(name: str, check: str) -> str:
    """pandera's name of the rule, with the key spelt out."""
    key = tables.TABLES[tables.table_of(name)].to_schema().unique
    return f"uniqueness of ({names(key)})" if check == "multiple_fields_uniqueness" and key else check


def wrong_times(name: str, typed: pl.DataFrame) -> list[Failure]:
    """Rows of another month than the file's name says, days and hours that do not exist; only in monthly files."""
    return [*wrong_month(name, typed), *unreal_times(name, typed)] if "/" in name else []


def unreal_times(name: str, typed: pl.DataFrame) -> list[Failure]:
    days, hours = pl.format("{}-{}-{}", "year", "month", "day"), pl.col("time_hour")
    unreal = typed.select(
        day=days.is_not_null() & days.str.to_date("%Y-%m-%d", strict=False).is_null(),
        time_hour=hours.is_not_null() & hours.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", strict=False).is_null(),
    )
    rows = {column.name: column.arg_true().to_list() for column in unreal.iter_columns()}
    return [failure(name, column, "being a real time", rows[column], typed[column]) for column in rows if rows[column]]


def wrong_month(name: str, typed: pl.DataFrame) -> list[Failure]:
    year, month = map(int, name.split("/")[1].removesuffix(".csv").split("-"))
    found = pl.format("{}-{}", "year", pl.col("month").cast(str).str.zfill(2))
    other = typed.select(found=found, wrong=(pl.col("year") != year) | (pl.col("month") != month))
    rows = other["wrong"].arg_true().to_list()
    return [failure(name, "year, month", f"month {year}-{month:02}", rows, other["found"])] if rows else []


def failure(name: str, column: str, check: str, rows: list[int | None], values: pl.Series | None) -> Failure:
    """A failure with its first three rows; row 0 is line 2 of the file."""
    first = [row for row in rows[:3] if row is not None]
    told = tuple(f"line {row + 2}" + (f": {values[row]}" if values is not None else "") for row in first)
    return Failure(file=name, column=column, check=check, count=len(rows), first=told)


def put_aside(batch: Batch, failures: list[Failure], settings: Settings) -> InvalidBatchError:
    """Copy the bad files to the quarantine with a report beside them, and return the error to raise."""
    quarantine = settings.store / "quarantine" / batch.month
    bad: list[File] = [file for file in batch.files if any(failure.file == file.name for failure in failures)]
    for file in bad:
        store.add(quarantine, file.name, (settings.store / file.path).read_bytes())
    report = json.dumps([failure.model_dump() for failure in failures], indent=1).encode()
    path = quarantine / store.add(quarantine, "report.json", report).path
    return InvalidBatchError(
        f"{'; '.join(map(str, failures))}; mend the source; the bad files and a report are in {path.parent}"
    )


def drift(batch: Batch, frames: dict[str, pl.DataFrame]) -> dict[str, float]:
    """How far each column's distribution in the target month is from the months before: its PSI."""
    indexes = {}
    for table, columns in DRIFT_COLUMNS.items():
        new, old = target_and_window(table, batch, frames)
        for column in columns:
            values = (old[column].drop_nulls().to_numpy(), new[column].drop_nulls().to_numpy())
            indexes[f"{table}.{column}"] = psi(*values)
    return indexes


def warnings_of(batch: Batch, frames: dict[str, pl.DataFrame], indexes: dict[str, float]) -> Iterator[str]:
    """A sentence for each column that has drifted, and for each table with few rows."""
    for column, index in indexes.items():
        if index > PSI_LIMIT:
            yield f"{column} has drifted in {batch.month}: PSI {index:.2f}, above {PSI_LIMIT}"
    for table in DRIFT_COLUMNS:
        new, old = target_and_window(table, batch, frames)
        if new.height < 0.5 * old.height / len(batch.window):
            yield f"{table} has {new.height} rows in {batch.month}, less than half of the months before"


def target_and_window(table: str, batch: Batch, frames: dict[str, pl.DataFrame]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The table's rows of the target month, and those of the window."""
    return frames[f"{table}/{batch.month}.csv"], pl.concat([frames[f"{table}/{month}.csv"] for month in batch.window])


def psi(expected: np.ndarray, actual: np.ndarray, bins: int = 10) -> float:
    """Population stability index of two samples over the deciles of `expected`; 0 for equal shares.

    sum((a - e) * ln(a / e)) over the bins' shares, each at least 1e-6: Siddiqi, Credit Risk Scorecards (2006).
    """
    if not len(expected) or not len(actual):
        return 0.0
    edges = np.unique(np.quantile(expected, np.linspace(0, 1, bins + 1)[1:-1]))
    e, a = (
        np.bincount(np.searchsorted(edges, x, side="right"), minlength=len(edges) + 1) / len(x)
        for x in (expected, actual)
    )
    e, a = np.maximum(e, 1e-6), np.maximum(a, 1e-6)
    return float(np.sum((a - e) * np.log(a / e)))
