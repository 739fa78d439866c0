"""The table that `features` writes: its columns, and how the later stages read it."""

import polars as pl
import pyarrow as pa

from shared.contracts import Features, File
from shared.lib import store
from shared.settings import Settings

WEATHER = ("temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib")
NUMERIC = (
    "scheduled_departure",  # minutes after midnight
    "scheduled_minutes",  # from departure to arrival by the clocks of both airports
    "weekday",  # 1 is Monday
    "distance",  # miles
    "plane_age",  # years
    "plane_seats",
    "destination_lat",
    "destination_lon",
    *WEATHER,  # at the origin 3 hours before scheduled departure, in the source's units
)
CATEGORICAL = ("carrier", "dest")
FEATURE_COLUMNS = ("origin", *NUMERIC, *CATEGORICAL)

PLANE = ("flights.tailnum", "planes.tailnum")
AIRPORT = ("flights.dest", "airports.faa")
HOUR = ("flights.origin", "flights.time_hour", "weather.origin", "weather.time_hour")
ORIGINS: dict[str, tuple[str, ...]] = {
    "month": ("flights.year", "flights.month"),
    "date": ("flights.year", "flights.month", "flights.day"),
    "late": ("flights.arr_delay",),
    "origin": ("flights.origin",),
    "scheduled_departure": ("flights.sched_dep_time",),
    "scheduled_minutes": ("flights.sched_dep_time", "flights.sched_arr_time"),
    "weekday": ("flights.year", "flights.month", "flights.day"),
    "distance": ("flights.distance",),
    "plane_age": ("flights.year", "planes.year", *PLANE),
    "plane_seats": ("planes.seats", *PLANE),
    "destination_lat": ("airports.lat", *AIRPORT),
    "destination_lon": ("airports.lon", *AIRPORT),
    **{name: (f"weather.{name}", *HOUR) for name in WEATHER},
    "carrier": ("flights.carrier",),
    "dest": ("flights.dest",),
}
"""The source columns, as `table.column`, that each column of the table is calculated from and looked up by."""


def read(file: File, settings: Settings) -> pl.DataFrame:
    """All rows, memory-mapped: they are read from the disk when they are used."""
    with pa.memory_map(str(store.local(file, settings))) as mapped:
        frame = pl.from_arrow(pa.ipc.open_file(mapped).read_all())
    assert isinstance(frame, pl.DataFrame)
    return frame


def window_rows(features: Features, settings: Settings) -> pl.DataFrame:
    """The rows of the training window."""
    return read(features.file, settings).filter(pl.col("month") != features.month)


def target_rows(features: Features, settings: Settings) -> pl.DataFrame:
    """The rows of the target month."""
    return read(features.file, settings).filter(pl.col("month") == features.month)
