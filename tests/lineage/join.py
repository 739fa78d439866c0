"""Features of two source tables, and the source columns that each of them comes from: as declared, and as found out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

ORIGINS = {
    "distance": ["flights.distance"],
    "late": ["flights.arr_delay"],
    "temp": ["flights.origin", "weather.origin", "weather.temp"],
}
"""What a task declares."""

WRONG = ORIGINS | {"distance": ["flights.no_such_column"]}


def features(changed: str = "") -> pl.DataFrame:
    """The flight's features; `changed` is a source column that is to have another value."""
    import polars as pl  # Airflow's processes read the Dags that import this: what is heavy comes later

    def table(name: str, row: dict[str, str | int]) -> pl.DataFrame:
        column = changed.removeprefix(f"{name}.")
        other = pl.lit("JFK") if column == "origin" else pl.col(column) + 1
        return pl.DataFrame([row]).with_columns(other.alias(column) if column in row else [])

    flights = table("flights", {"origin": "EWR", "distance": 746, "arr_delay": 15})
    weather = table("weather", {"origin": "EWR", "temp": 39})
    joined = flights.join(weather, on="origin", how="left")
    return joined.select("distance", "temp", late=pl.col("arr_delay") > 15)


def found() -> dict[str, list[str]]:
    """The source columns that each feature changes with: what a right record tells."""
    columns = [*(f"flights.{name}" for name in ("arr_delay", "distance", "origin")), "weather.origin", "weather.temp"]
    before = features().row(0, named=True)
    after = {column: features(column).row(0, named=True) for column in columns}
    return {name: [column for column in columns if after[column][name] != before[name]] for name in before}
