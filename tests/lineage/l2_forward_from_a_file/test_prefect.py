"""Prefect's events can be asked by what they are related to: a file leads on to its models if the flow names it."""

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.assets import add_asset_metadata, materialize
from prefect.events import Event
from prefect.events.filters import EventFilter, EventNameFilter, EventRelatedFilter, EventResourceFilter

from prefect_impl.lineage import related
from tests.live import prefect
from tests.live.watch import until
from tests.scenario import Scenario

WINDOWS = (["2013-05", "2013-06"], ["2013-06", "2013-07"])


@materialize("l2obvious://features", asset_deps=["l2obvious://source"])
def features_obvious(months: list[str]) -> str:
    return " and ".join(months)


@materialize("l2obvious://model")
def model_obvious(features: str) -> None:
    add_asset_metadata("l2obvious://model", {"of": features})


@flow
def obvious(months: list[str]) -> None:
    model_obvious(features_obvious(months))


@materialize("l2idiom://features")
def features_idiom(months: list[str]) -> str:
    return " and ".join(months)


@materialize("l2idiom://model")
def model_idiom(features: str) -> None:
    add_asset_metadata("l2idiom://model", {"of": features})


@flow
def idiom(months: list[str]) -> None:
    files = [f"l2idiom://source/{month}.csv" for month in months]
    model_idiom(features_idiom.with_options(asset_deps=files)(months))


def made(asset: str, *from_what: str) -> list[Event]:
    """The events that the asset was materialized, related to any of these."""
    wanted = EventFilter(
        event=EventNameFilter(name=["prefect.asset.materialization.succeeded"]),
        resource=EventResourceFilter(id=[asset]),
        related=EventRelatedFilter(id=list(from_what)) if from_what else None,
    )
    with prefect.client() as api:
        return api.read_events(wanted, limit=50).events


def forward(pipeline: str, source: str) -> list[str]:
    """The models of the runs in which features were made from the source."""
    runs = [run for event in made(f"{pipeline}://features", source) for run in related("flow-run", event)]
    return sorted(event.payload["of"] for event in made(f"{pipeline}://model", *runs))


def observe(pipeline: Any, may: str, june: str) -> dict[str, Any]:
    ended = [pipeline(months, return_state=True) for months in WINDOWS]
    name = f"l2{pipeline.name}"
    until(lambda: [len(made(f"{name}://{asset}")) for asset in ("features", "model")] == [2, 2])
    of_may, of_june = forward(name, may), forward(name, june)
    return {
        "success": all(state.is_completed() for state in ended),
        "both": of_june == ["2013-05 and 2013-06", "2013-06 and 2013-07"],
        "only": of_may == ["2013-05 and 2013-06"],
        "forward": len(of_may) == 1,
        "june": of_june,
        "may": of_may,
        "read": len(of_may),
    }


def test_l2_forward_from_a_file(results: Path, scenario: Scenario) -> None:
    plain = observe(obvious, "l2obvious://source", "l2obvious://source")
    told = observe(idiom, "l2idiom://source/2013-05.csv", "l2idiom://source/2013-06.csv")
    scenario.obvious(obvious, features_obvious, model_obvious, **plain)
    scenario.idiom(idiom, features_idiom, model_idiom, **told)
    scenario.finding(
        f"The server finds events by what they are related to. If the flow gives the features each file as a "
        f"dependency, the events that name May's file lead to a flow run, and this to {len(told['may'])} model, June's "
        f"to {len(told['june'])}; with one asset for the whole source any file leads to all {len(plain['may'])}."
    )
