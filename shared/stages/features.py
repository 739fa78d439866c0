"""Stage 3, `features`: what is known before departure, as one Arrow IPC file."""

import io
import logging

import polars as pl

from shared.contracts import Features, Validated
from shared.lib import store, tables
from shared.lib.feature_table import CATEGORICAL, FEATURE_COLUMNS, NUMERIC, WEATHER
from shared.lib.stage import stage
from shared.settings import Settings

LATE = pl.col("arr_delay") > 15

log = logging.getLogger(__name__)


@stage
def features(validated: Validated, settings: Settings) -> Features:
    """Join flights, planes, airports and weather, and write one row for each flight that arrived.

    The file has the columns `month`, `date`, `late` and FEATURE_COLUMNS, in the order of the source files.
    """
    batch = validated.batch
    frames = {file.name: tables.read(store.local(file, settings), tables.table_of(file.name)) for file in batch.files}
    months = (*batch.window, batch.month)
    flights = pl.concat([frames[f"flights/{month}.csv"] for month in months])
    weather = pl.concat([frames[f"weather/{month}.csv"] for month in months])
    arrived = flights.filter(pl.col("arr_delay").is_not_null())
    table = join(arrived, weather, frames["planes.csv"], frames["airports.csv"])
    notes = row_notes(flights, arrived, frames)
    for note in notes:
        log.info("%s", note)
    buffer = io.BytesIO()
    table.write_ipc(buffer, compression="uncompressed")
    file = store.add(settings, f"features/{batch.month}.arrow", buffer.getvalue())
    log.info("%s: %d rows, %d features, %.1f MB", batch.month, table.height, len(FEATURE_COLUMNS), buffer.tell() / 1e6)
    return Features(
        month=batch.month,
        window=batch.window,
        file=file,
        rows=table.height,
        inputs=batch.inputs,
        notes=notes,
        warnings=validated.warnings,
    )


def join(flights: pl.DataFrame, weather: pl.DataFrame, planes: pl.DataFrame, airports: pl.DataFrame) -> pl.DataFrame:
    """The features of each flight, in the flights' order; what a lookup table lacks is NaN."""
    weather_3h_earlier = weather.select("origin", *WEATHER, time_hour=hour_of("time_hour").dt.offset_by("3h"))
    return (
        flights.lazy()
        .with_columns(time_hour=hour_of("time_hour"))
        .join(weather_3h_earlier.lazy(), on=["origin", "time_hour"], how="left", maintain_order="left")
        .join(planes.lazy().select("tailnum", "seats", built="year"), on="tailnum", how="left", maintain_order="left")
        .join(airports.lazy().select("lat", "lon", dest="faa"), on="dest", how="left", maintain_order="left")
        .with_columns(
            date=pl.date("year", "month", "day"),
            late=LATE,
            scheduled_departure=minutes("sched_dep_time"),
            scheduled_minutes=(minutes("sched_arr_time") - minutes("sched_dep_time")) % 1440,
            plane_age=pl.col("year") - pl.col("built"),
            plane_seats="seats",
            destination_lat="lat",
            destination_lon="lon",
        )
        .with_columns(weekday=pl.col("date").dt.weekday(), month=pl.col("date").dt.strftime("%Y-%m"))
        .select(
            "month",
            "date",
            "late",
            "origin",
            *(pl.col(c).cast(pl.Float64).fill_null(float("nan")) for c in NUMERIC),
            *CATEGORICAL,
        )
        .collect()
    )


def hour_of(column: str) -> pl.Expr:
    """The time in a `time_hour` of the source."""
    return pl.col(column).str.to_datetime("%Y-%m-%dT%H:%M:%SZ")


def minutes(clock: str) -> pl.Expr:
    """Minutes after midnight of a clock time such as 1435."""
    return pl.col(clock) // 100 * 60 + pl.col(clock) % 100


def row_notes(flights: pl.DataFrame, arrived: pl.DataFrame, frames: dict[str, pl.DataFrame]) -> tuple[str, ...]:
    """A sentence on the flights that were left out, and one for each column with values that its lookup table lacks."""
    notes = [f"{flights.height - arrived.height} of {flights.height} flights were cancelled or diverted: left out"]
    lookups = {
        "tailnum": ("planes.csv", "tailnum"),
        "dest": ("airports.csv", "faa"),
        "carrier": ("airlines.csv", "carrier"),
    }
    for column, (name, key) in lookups.items():
        lacking = arrived.filter(~pl.col(column).is_in(frames[name][key].to_list()) | pl.col(column).is_null())
        if lacking.height:
            notes.append(f"{lacking.height} flights have a {column} that {name} lacks: kept, as unknown")
    return tuple(notes)
