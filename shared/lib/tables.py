"""The source's tables: columns, types, ranges and keys, as pandera models."""

from pathlib import Path

import pandera.polars as pa
import polars as pl

ORIGIN_HOUR = ("origin", "time_hour")
TIME_HOUR = r"^\d{4}-\d\d-\d\dT\d\d:00:00Z$"
CODE = r"^[A-Z0-9]{3,4}$"


class Table(pa.DataFrameModel):
    class Config:
        strict = True


class Monthly(Table):
    year: int
    month: int = pa.Field(ge=1, le=12)
    day: int = pa.Field(ge=1, le=31)
    hour: int = pa.Field(ge=0, le=23)
    origin: str = pa.Field(str_matches=CODE)
    time_hour: str = pa.Field(str_matches=TIME_HOUR)


class Flights(Monthly):
    dep_time: int = pa.Field(nullable=True, ge=0, le=2400)
    sched_dep_time: int = pa.Field(ge=0, le=2359)
    dep_delay: float = pa.Field(nullable=True)
    arr_time: int = pa.Field(nullable=True, ge=0, le=2400)
    sched_arr_time: int = pa.Field(ge=0, le=2400)
    arr_delay: float = pa.Field(nullable=True)
    carrier: str
    flight: int = pa.Field(gt=0)
    tailnum: str = pa.Field(nullable=True)
    dest: str
    air_time: float = pa.Field(nullable=True, gt=0)
    distance: float = pa.Field(gt=0)
    minute: int = pa.Field(ge=0, le=59)

    class Config:
        unique = ("carrier", "flight", *ORIGIN_HOUR)


class Weather(Monthly):
    temp: float = pa.Field(nullable=True)
    dewp: float = pa.Field(nullable=True)
    humid: float = pa.Field(nullable=True, ge=0)
    wind_dir: float = pa.Field(nullable=True, ge=0, le=360)
    wind_speed: float = pa.Field(nullable=True, ge=0)
    wind_gust: float = pa.Field(nullable=True, ge=0)
    precip: float = pa.Field(nullable=True, ge=0)
    pressure: float = pa.Field(nullable=True, gt=0)
    visib: float = pa.Field(nullable=True, ge=0)

    class Config:
        unique = ORIGIN_HOUR


class Planes(Table):
    tailnum: str = pa.Field(unique=True)
    year: int = pa.Field(nullable=True)
    type: str = pa.Field(nullable=True)
    manufacturer: str = pa.Field(nullable=True)
    model: str = pa.Field(nullable=True)
    engines: int = pa.Field(nullable=True)
    seats: int = pa.Field(nullable=True, ge=0)
    speed: int = pa.Field(nullable=True)
    engine: str = pa.Field(nullable=True)


class Airports(Table):
    faa: str = pa.Field(unique=True)
    name: str = pa.Field(nullable=True)
    lat: float = pa.Field(ge=-90, le=90)
    lon: float = pa.Field(ge=-180, le=180)
    alt: float = pa.Field(nullable=True)
    tz: float = pa.Field(nullable=True)
    dst: str = pa.Field(nullable=True)
    tzone: str = pa.Field(nullable=True)


class Airlines(Table):
    carrier: str = pa.Field(unique=True)
    name: str = pa.Field(nullable=True)


TABLES: dict[str, type[Table]] = {
    "flights": Flights,
    "weather": Weather,
    "planes": Planes,
    "airports": Airports,
    "airlines": Airlines,
}


def table_of(name: str) -> str:
    """`flights` for `flights/2013-06.csv`, `planes` for `planes.csv`."""
    return name.removesuffix(".csv").split("/")[0]


def read_text(path: Path) -> pl.DataFrame:
    """A csv file with every value as text, `NA` and the empty text included."""
    return pl.read_csv(path, infer_schema=False, empty_string_is_null=False)


def types(table: str) -> dict[str, pl.DataType]:
    """The table's columns and polars types."""
    return {name: column.dtype.type for name, column in TABLES[table].to_schema().columns.items()}


def read(path: Path, table: str) -> pl.DataFrame:
    """A validated csv file in the table's types."""
    return pl.read_csv(path, schema_overrides=types(table), null_values="NA")
