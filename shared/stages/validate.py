"""Stage 2, `validate`: schema, ranges, keys and row counts; drift against the months before is only a warning."""

import json
import logging
from collections.abc import Iterator

import numpy as np
import pandera.errors
import polars as pl

from shared.contracts import Batch, Contract, File, PermanentError, Validated
from shared.lib import store, tables
from shared.lib.stage import stage
from shared.settings import Settings

PSI_LIMIT = 0.25  # above it a distribution counts as shifted: Siddiqi, Credit Risk Scorecards (2006)
DRIFT_COLUMNS = {"flights": ("sched_dep_time", "distance", "arr_delay"), "weather": ("temp", "wind_speed", "visib")}

log = logging.getLogger(__name__)


class Failure(Contract):
    """One rule that a file breaks: in how many rows, and the first of them (line numbers of the csv file).

    `column` is null for a rule on whole rows, `count` is 0 for one on the whole file.
    """

    file: str
    column: str | None
    check: str
    count: int
    first: tuple[str, ...]

    def __str__(self) -> str:
        if not self.count:
            return f"{self.file} {self.check}"
        subject = f"column {self.column} " if self.column else ""
        rows = "1 row breaks" if self.count == 1 else f"{self.count} rows break"
        lines = f" ({', '.join(self.first)})" if self.first else ""
        return f"{self.file}: {subject}{self.check}, but {rows} this{lines}"


class InvalidBatchError(PermanentError):
    """Names every rule that the batch breaks, and the folder in which the bad files and a report are."""


@stage
def validate(batch: Batch, settings: Settings) -> Validated:
    """Check every file of the batch against its table's rules, all failures at once.

    Raises InvalidBatchError after the bad files and a report were put aside in the store's `quarantine/<month>`.
    """
    frames: dict[str, pl.DataFrame] = {}
    failures: list[Failure] = []
    for file in batch.files:
        failures_of_file = check_file(file, settings)
        if failures_of_file:
            failures += failures_of_file
        else:
            frames[file.name] = tables.read(store.local(file, settings), tables.table_of(file.name))
    if failures:
        raise quarantine(batch, failures, settings)
    indexes = drift(batch, frames)
    warnings = tuple(warnings_of(batch, frames, indexes))
    for warning in warnings:
        log.warning("%s", warning)
    rows = {name: frame.height for name, frame in frames.items()}
    flights = sum(count for name, count in rows.items() if name.startswith("flights/"))
    log.info("%s: %d files valid, %d flights, %d warnings", batch.month, len(rows), flights, len(warnings))
    return Validated(batch=batch, rows=rows, drift=indexes, warnings=warnings)


def check_file(file: File, settings: Settings) -> list[Failure]:
    """All rules that one file of the store breaks."""
    try:
        text = tables.read_text(store.local(file, settings))
    except pl.exceptions.PolarsError as error:
        message = str(error).splitlines()[0]
        return [file_failure(file.name, f"can't be read as csv ({message})")]
    return failures_of(file.name, text)


def failures_of(name: str, text: pl.DataFrame) -> list[Failure]:
    """All rules that one file breaks; `text` holds its values as strings."""
    types = tables.types(tables.table_of(name))
    if schema_failures := wrong_columns(name, text.columns, list(types)):
        return schema_failures
    if text.is_empty():
        return [file_failure(name, "has a header but no rows")]
    if short_rows := (text[text.columns[-1]] == "").arg_true().to_list():
        return [row_failure(name, None, f"each line must have {len(types)} values (NA for none)", short_rows)]
    text = text.select(pl.all().replace(["NA", ""], None))
    typed = text.select(pl.col(column).cast(dtype, strict=False) for column, dtype in types.items())
    wrong_types = [failure for column in types for failure in wrong_type(name, text[column], typed[column])]
    return wrong_types + broken_rules(name, typed, text) + wrong_times(name, typed)


def wrong_columns(name: str, found: list[str], expected: list[str]) -> list[Failure]:
    """One failure that names the columns that are missing and those that are unknown."""
    missing = [column for column in expected if column not in found]
    unknown = [column for column in found if column not in expected]
    problems = [f"lacks the {columns(missing)}"] if missing else []
    problems += [f"has the unknown {columns(unknown)}"] if unknown else []
    return [file_failure(name, " and ".join(problems))] if problems else []


def columns(names: list[str]) -> str:
    return f"column{'s' if len(names) > 1 else ''} {', '.join(names)}"


def wrong_type(name: str, text: pl.Series, typed: pl.Series) -> list[Failure]:
    """The values of a column that are not of its type; nan and inf are no numbers here."""
    wrong = typed.is_null() | ~typed.is_finite() if typed.dtype.is_float() else typed.is_null()
    rows = (text.is_not_null() & wrong).arg_true().to_list()
    return [row_failure(name, text.name, f"must be of type {typed.dtype}", rows, text)] if rows else []


def broken_rules(name: str, typed: pl.DataFrame, text: pl.DataFrame) -> list[Failure]:
    """pandera's findings, but for those values that are null only because they have a wrong type."""
    try:
        tables.TABLES[tables.table_of(name)].validate(typed, lazy=True)
    except pandera.errors.SchemaErrors as error:
        column = pl.when(pl.col("schema_context") == "Column").then("column")
        by_rule = error.failure_cases.group_by(column, "check", maintain_order=True).agg("index")
        broken = [
            (column, check, [row for row in rows if check != "not_nullable" or text[column][row] is None])
            for column, check, rows in by_rule.iter_rows()
        ]
        return [
            row_failure(name, column, rule(name, check), rows, typed[column] if column else None)
            for column, check, rows in broken
            if rows
        ]
    return []


def rule(name: str, check: str) -> str:
    """The rule that pandera names `greater_than(0)`, in words: `must be greater than 0`."""
    if check == "multiple_fields_uniqueness":
        key = tables.TABLES[tables.table_of(name)].to_schema().unique or ()
        return f"the key ({', '.join(key)}) must be unique"
    words = {"not_nullable": "must not be empty", "field_uniqueness": "must be unique"}
    comparison, _, limit = check.removesuffix(")").partition("(")
    if comparison == "str_matches":
        return f"must match {limit}"
    return words.get(check, f"must be {comparison.replace('_', ' ')} {limit}".rstrip())


def wrong_times(name: str, typed: pl.DataFrame) -> list[Failure]:
    """Rows of another month than the file's name says, days and hours that do not exist; only in monthly files."""
    return [*wrong_month(name, typed), *unreal_times(name, typed)] if "/" in name else []


def wrong_month(name: str, typed: pl.DataFrame) -> list[Failure]:
    expected = name.split("/")[1].removesuffix(".csv")
    months = typed.select(pl.format("{}-{}", "year", pl.col("month").cast(str).str.zfill(2)).alias("month"))["month"]
    rows = (months != expected).arg_true().to_list()
    check = f"year and month must be {expected}, as the file's name says"
    return [row_failure(name, None, check, rows, months)] if rows else []


def unreal_times(name: str, typed: pl.DataFrame) -> list[Failure]:
    days, hours = pl.format("{}-{}-{}", "year", "month", "day"), pl.col("time_hour")
    unreal = typed.select(
        day=days.is_not_null() & days.str.to_date("%Y-%m-%d", strict=False).is_null(),
        time_hour=hours.is_not_null() & hours.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", strict=False).is_null(),
    )
    rows = {column.name: column.arg_true().to_list() for column in unreal.iter_columns()}
    return [
        row_failure(name, column, "must be a real time", rows[column], typed[column]) for column in rows if rows[column]
    ]


def file_failure(name: str, check: str) -> Failure:
    """A rule on the whole file."""
    return Failure(file=name, column=None, check=check, count=0, first=())


def row_failure(name: str, column: str | None, check: str, rows: list[int], values: pl.Series | None = None) -> Failure:
    """A rule that some rows break, with the first three of them; row 0 is line 2 of the file."""
    first = tuple(f"line {row + 2}" + (f": {values[row]}" if values is not None else "") for row in rows[:3])
    return Failure(file=name, column=column, check=check, count=len(rows), first=first)


def quarantine(batch: Batch, failures: list[Failure], settings: Settings) -> InvalidBatchError:
    """Copy the bad files to the quarantine with a report beside them, and return the error to raise."""
    aside = f"quarantine/{batch.month}"
    bad_names = {failure.file for failure in failures}
    for file in batch.files:
        if file.name in bad_names:
            store.add(settings, f"{aside}/{file.name}", store.local(file, settings).read_bytes())
    report = json.dumps([failure.model_dump() for failure in failures], indent=1).encode()
    store.add(settings, f"{aside}/report.json", report)
    return InvalidBatchError(
        f"{'; '.join(map(str, failures))}; mend the source; the bad files and a report are in "
        f"{store.place(aside, settings)}"
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
