"""The pipeline's assets: what Airflow's lineage graph shows, and what a run may wait for."""

from typing import Any

from airflow.sdk import Asset, get_current_context

from shared.settings import Settings

FLIGHTS = Asset(
    "flights",
    uri="triptych://source/flights",
    group="data",
    extra={"description": "the vendor's monthly drop: flights, weather, planes, airports, airlines"},
)
FEATURES = Asset(
    "flight_features",
    uri="triptych://store/airflow/features",
    group="data",
    extra={"description": "what is known of each flight before departure: one Arrow file for each month"},
)
CHAMPION = Asset(
    "late_flights_champion",
    uri=f"mlflow://models/{Settings(tool='airflow').model_name}/champion",
    group="model",
    extra={"description": "the model in service: how likely is a flight to land more than 15 minutes late?"},
)


def describe_event(asset: Asset, month: str, **facts: Any) -> None:
    """Give the event that Airflow writes when this task succeeds the month as its partition, and facts to show."""
    event = get_current_context()["outlet_events"][asset]
    event.add_partitions(month)  # a run of `dag.test()` has no partition key for its events to inherit
    event.extra = {"month": month, **facts}
