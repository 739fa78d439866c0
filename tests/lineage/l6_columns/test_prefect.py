"""Prefect's assets have no columns; what a task adds to their metadata comes back with their events."""

from typing import Any

from prefect import flow
from prefect.assets import add_asset_metadata, materialize

from prefect_impl.lineage import materializations
from tests.lineage import join
from tests.live import prefect
from tests.live.watch import until
from tests.scenario import Scenario


@materialize("l6obvious://features", asset_deps=["l6obvious://flights", "l6obvious://weather"])
def features_obvious() -> int:
    return join.features().height


@flow
def obvious(wrong: bool = False) -> None:
    features_obvious()


@materialize("l6idiom://features", asset_deps=["l6idiom://flights", "l6idiom://weather"])
def features_idiom(declared: dict[str, list[str]]) -> int:
    add_asset_metadata("l6idiom://features", {"columns": declared})
    return join.features().height


@flow
def idiom(wrong: bool = False) -> None:
    features_idiom(join.WRONG if wrong else join.ORIGINS)


def observe(pipeline: Any) -> dict[str, Any]:
    ended = pipeline(return_state=True)
    with prefect.client() as api:
        (event,) = until(lambda: list(materializations(f"l6{pipeline.name}://features", api)))
    wrong = pipeline(wrong=True, return_state=True)
    columns = event.payload.get("columns")
    return {
        "success": ended.is_completed(),
        "columns": columns == join.found(),
        "native": type(columns).__module__.startswith("prefect."),
        "kept": columns is not None,
        "noticed": not wrong.is_completed(),
        "form": type(columns).__name__ if columns else "none",
        "temp": (columns or {}).get("temp", []),
    }


def test_l6_columns(results: Any, scenario: Scenario) -> None:
    plain, told = observe(obvious), observe(idiom)
    scenario.obvious(obvious, features_obvious, **plain)
    scenario.idiom(
        idiom,
        features_idiom,
        own_code="Prefect has no form for columns: the task adds a dict of its own to the asset's metadata.",
        **told,
    )
    scenario.finding(
        f"Prefect knows assets, and no columns. A {told['form']} that the task adds to the asset's metadata comes back "
        f"with the event (for the temperature {', '.join(told['temp'])}), but what it means only one's own code knows, "
        f"and a column that does not exist is {'noticed' if told['noticed'] else 'taken, too'}."
    )
