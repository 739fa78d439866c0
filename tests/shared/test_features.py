"""Stage 3: one row a flight in the source's order, with nothing in it that is known only after departure."""

import math
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import Features
from shared.lib import tables
from shared.lib.feature_table import CATEGORICAL, FEATURE_COLUMNS, NUMERIC, WEATHER, read
from shared.settings import Settings
from shared.stages.features import features, join
from shared.stages.ingest import ingest
from shared.stages.validate import validate

MONTH = "2013-02"
FLIGHTS = "flights/2013-02.csv"
AFTER_DEPARTURE = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time")
Cells = Callable[[Path, str, dict[int, str]], None]


def run(source: Path, settings: Settings, month: str = MONTH) -> Features:
    settings = settings.model_copy(update={"source": str(source)})
    return features(validate(ingest(month, settings), settings), settings)


def table(folder: Path, *names: str) -> pl.DataFrame:
    return pl.concat([tables.read(folder / name, tables.table_of(name)) for name in names])


def test_each_arrived_flight_is_a_row_in_the_sources_order(vendor: Path, settings: Settings) -> None:
    table_reference = run(vendor, settings)

    arrived = table(vendor, "flights/2013-01.csv", FLIGHTS).filter(pl.col("arr_delay").is_not_null())
    rows = read(table_reference.file, settings)
    assert rows.columns == ["month", "date", "late", *FEATURE_COLUMNS]
    assert table_reference.rows == rows.height == arrived.height
    for column in ("origin", "dest", "carrier", "distance"):
        assert rows[column].to_list() == arrived[column].to_list()
    assert rows["late"].to_list() == (arrived["arr_delay"] > 15).to_list()
    assert rows["month"].unique(maintain_order=True).to_list() == ["2013-01", "2013-02"]


def test_late_means_more_than_fifteen_minutes(source: Path, settings: Settings, set_cells: Cells) -> None:
    set_cells(source / "flights/2013-01.csv", "arr_delay", {2: "15", 3: "15.5", 4: "16", 5: "-70"})

    rows = read(run(source, settings).file, settings)

    assert rows["late"].to_list()[:4] == [False, True, True, False]


@pytest.mark.parametrize(
    ("cells", "feature", "value"),
    [
        ({"sched_dep_time": 1435}, "scheduled_departure", 875),
        ({"sched_dep_time": 5}, "scheduled_departure", 5),
        ({"sched_dep_time": 1000, "sched_arr_time": 1130}, "scheduled_minutes", 90),
        ({"sched_dep_time": 2350, "sched_arr_time": 10}, "scheduled_minutes", 20),
        ({"sched_dep_time": 2300, "sched_arr_time": 2400}, "scheduled_minutes", 60),
        ({"day": 1}, "weekday", 2),
        ({"day": 6}, "weekday", 7),
        ({"tailnum": "N10156"}, "plane_age", 9),
        ({"tailnum": "N10156"}, "plane_seats", 55),
        ({"dest": "ATL"}, "destination_lat", 33.636719),
        ({"dest": "ATL"}, "destination_lon", -84.428067),
        ({"dest": "XXX"}, "destination_lat", math.nan),
        ({"tailnum": None}, "plane_age", math.nan),
        ({"tailnum": "N0"}, "plane_seats", math.nan),
    ],
)
def test_value_of_a_feature(vendor: Path, cells: dict[str, Any], feature: str, value: float) -> None:
    flight = flights_at([("EWR", datetime(2013, 1, 1, tzinfo=UTC))]).with_columns(month=1, **lit(cells))

    (row,) = join(flight, weather_of({}), table(vendor, "planes.csv"), table(vendor, "airports.csv")).to_dicts()

    assert row[feature] == pytest.approx(value, nan_ok=True)


def lit(cells: dict[str, Any]) -> dict[str, pl.Expr]:
    return {name: pl.lit(value, tables.types("flights")[name]) for name, value in cells.items()}


def test_unknown_planes_and_airports_are_kept_and_noted(source: Path, settings: Settings, set_cells: Cells) -> None:
    before = run(source, settings)
    notes = " ".join(before.notes)
    assert "flights have a dest that airports.csv lacks: kept, as unknown" in notes
    assert "flights have a tailnum that planes.csv lacks: kept, as unknown" in notes
    assert "carrier" not in notes

    set_cells(source / FLIGHTS, "carrier", {2: "ZZ", 3: "ZZ"})
    after = run(source, settings)

    assert after.rows == before.rows
    assert "2 flights have a carrier that airlines.csv lacks: kept, as unknown" in after.notes


def test_cancelled_flights_are_left_out_and_noted(source: Path, settings: Settings, set_cells: Cells) -> None:
    before = run(source, settings)
    arrived = table(source, FLIGHTS)["arr_delay"].is_not_null().arg_true()[:5]

    set_cells(source / FLIGHTS, "arr_delay", {row + 2: "NA" for row in arrived})

    after = run(source, settings)
    flights = table(source, "flights/2013-01.csv", FLIGHTS).height
    assert after.rows == before.rows - 5
    assert f"{flights - after.rows} of {flights} flights were cancelled or diverted: left out" in after.notes


def test_second_time_touches_no_file(
    vendor: Path, settings: Settings, files_in: Callable[[Path], dict[str, int]]
) -> None:
    first = run(vendor, settings)
    before = files_in(settings.store)

    assert run(vendor, settings) == first
    assert files_in(settings.store) == before


def test_any_year_works(vendor: Path, tmp_path: Path, settings: Settings) -> None:
    source = tmp_path / "leap year"
    for name in ("planes.csv", "airports.csv", "airlines.csv"):
        source.mkdir(exist_ok=True)
        shutil.copyfile(vendor / name, source / name)
    for folder in ("flights", "weather"):
        (source / folder).mkdir()
        for month in ("01", "02"):
            text = (
                (vendor / folder / f"2013-{month}.csv").read_text().replace("2013,", "2024,").replace("2013-", "2024-")
            )
            (source / folder / f"2024-{month}.csv").write_text(text)

    table_reference = run(source, settings, "2024-02")

    assert table_reference.window == ("2024-01",)
    assert set(read(table_reference.file, settings)["date"].dt.year()) == {2024}


def test_no_feature_is_known_only_after_departure() -> None:
    assert set(AFTER_DEPARTURE) & set(FEATURE_COLUMNS) == set()


def test_what_happens_after_departure_changes_no_feature(vendor: Path, source: Path, settings: Settings) -> None:
    untouched = run(vendor, settings)
    for month in ("2013-01", MONTH):
        path = source / "flights" / f"{month}.csv"
        flights = pl.read_csv(path, infer_schema=False, null_values="NA")
        late, arrived = pl.col("arr_delay").cast(float) > 15, pl.col("arr_delay").is_not_null()
        flights.with_columns(
            pl.col("dep_time", "dep_delay", "arr_time", "air_time").shuffle(seed=1),
            arr_delay=pl.when(late & arrived).then(pl.lit("999")).when(arrived).then(pl.lit("-99")),
        ).write_csv(path, null_value="NA")

    shuffled = run(source, settings)

    assert shuffled.inputs != untouched.inputs
    assert shuffled.file.sha256 == untouched.file.sha256


def test_weather_is_three_hours_old(vendor: Path, settings: Settings) -> None:
    rows = read(run(vendor, settings).file, settings)

    arrived = table(vendor, "flights/2013-01.csv", FLIGHTS).filter(pl.col("arr_delay").is_not_null())
    weather = table(vendor, "weather/2013-01.csv", "weather/2013-02.csv")
    known = {(origin, hour): temp for origin, hour, temp in weather.select("origin", "time_hour", "temp").iter_rows()}
    expected = [
        known.get((origin, stamp(datetime.fromisoformat(hour) - timedelta(hours=3))))
        for origin, hour in arrived.select("origin", "time_hour").iter_rows()
    ]
    assert rows["temp"].fill_nan(None).to_list() == expected
    assert sum(temp is None for temp in expected) < 0.05 * len(expected)


hours = st.integers(0, 30).map(lambda n: datetime(2013, 2, 1, tzinfo=UTC) + timedelta(hours=n))
origins = st.sampled_from(["EWR", "JFK", "LGA"])


@given(
    departures=st.lists(st.tuples(origins, hours), max_size=30),
    measured=st.dictionaries(st.tuples(origins, hours), st.integers(-20, 110) | st.none(), max_size=40),
)
def test_each_flight_gets_the_weather_of_exactly_three_hours_before_or_none(
    departures: list[tuple[str, datetime]], measured: dict[tuple[str, datetime], int | None]
) -> None:
    joined = join(flights_at(departures), weather_of(measured), *empty_lookups())

    expected = [measured.get((origin, hour - timedelta(hours=3))) for origin, hour in departures]
    assert joined["distance"].to_list() == list(range(len(departures)))
    assert joined["temp"].fill_nan(None).to_list() == expected


def flights_at(departures: list[tuple[str, datetime]]) -> pl.DataFrame:
    """A flight for each origin and hour, its distance being its place in the list."""
    row = dict.fromkeys(tables.types("flights")) | {"year": 2013, "month": 2, "day": 1}
    row |= {"sched_dep_time": 1000, "sched_arr_time": 1100, "carrier": "UA", "dest": "ATL"}
    rows: list[dict[str, Any]] = [
        {**row, "origin": origin, "time_hour": stamp(hour), "distance": place}
        for place, (origin, hour) in enumerate(departures)
    ]
    return pl.DataFrame(rows, schema=tables.types("flights"))


def weather_of(measured: dict[tuple[str, datetime], int | None]) -> pl.DataFrame:
    rows = [{"origin": origin, "time_hour": stamp(hour), "temp": temp} for (origin, hour), temp in measured.items()]
    return pl.DataFrame(rows, schema=tables.types("weather"))


def empty_lookups() -> tuple[pl.DataFrame, pl.DataFrame]:
    return pl.DataFrame(schema=tables.types("planes")), pl.DataFrame(schema=tables.types("airports"))


def stamp(hour: datetime) -> str:
    return hour.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_features_are_floats_and_texts(rows: pl.DataFrame) -> None:
    assert set(WEATHER) < set(NUMERIC)
    assert {rows[name].dtype for name in NUMERIC} == {pl.Float64}
    assert {rows[name].dtype for name in ("origin", *CATEGORICAL)} == {pl.String}
    assert sum(rows[name].null_count() for name in NUMERIC) == 0
    assert rows["date"].dtype == pl.Date
    assert (rows["date"].min(), rows["date"].max()) == (date(2013, 2, 1), date(2013, 5, 31))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the process's memory map in /proc")
def test_file_is_opened_memory_mapped(vendor: Path, settings: Settings) -> None:
    table_reference = run(vendor, settings)

    rows = read(table_reference.file, settings)

    assert str(settings.store / table_reference.file.path) in Path("/proc/self/maps").read_text()
    assert rows.height == table_reference.rows
