"""Prefect tells by events which asset was made from which, in which flow run; the digests go into their payload."""

from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import flow, task
from prefect.assets import add_asset_metadata, materialize
from prefect.settings import get_current_settings
from prefect.utilities.hashing import file_hash

from prefect_impl.lineage import materializations, origins, run_id, trail
from shared.lib.store import sha256
from tests.live import prefect
from tests.live.watch import until
from tests.scenario import Scenario


def digests(folder: str) -> dict[str, str]:
    return {file.name: sha256(file.read_bytes()) for file in sorted(Path(folder).glob("*.csv"))}


@materialize("l1obvious://features", asset_deps=["l1obvious://source"])
def features_obvious(folder: str) -> dict[str, int]:
    return {"files": len(digests(folder))}


@materialize("l1obvious://model")
def model_obvious(features: dict[str, int], seed: int) -> str:
    return f"model of {features}"


@flow
def obvious(folder: str, seed: int = 0) -> None:
    model_obvious(features_obvious(folder), seed)


@task
def drop(folder: str) -> dict[str, str]:
    return digests(folder)


@materialize("l1idiom://features")
def features_idiom(files: dict[str, str]) -> dict[str, int]:
    add_asset_metadata("l1idiom://features", {"inputs": files})
    return {"files": len(files)}


@materialize("l1idiom://model")
def model_idiom(features: dict[str, int], seed: int) -> str:
    return f"model of {features}"


@flow
def idiom(folder: str, seed: int = 0) -> None:
    files = drop(folder)
    sources = [f"l1idiom://source/{name}" for name in files]
    model_idiom(features_idiom.with_options(asset_deps=sources)(files), seed)


def observe(pipeline: Any, folder: Path) -> dict[str, Any]:
    ended = pipeline(str(folder), seed=7, return_state=True)
    name = pipeline.name
    with prefect.client() as api:
        until(lambda: list(materializations(f"l1{name}://model", api)))
        (made,) = materializations(f"l1{name}://model", api)
        chain, run = dict(origins(made, api)), api.read_flow_run(run_id(made))
    inputs = [event.payload.get("inputs") for event in chain.values() if event]
    return {
        "success": ended.is_completed(),
        "run": run.id == UUID(str(ended.state_details.flow_run_id)),
        "settings": run.parameters["seed"] == 7,
        "features": f"l1{name}://features" in chain,
        "files": digests(str(folder)) in inputs,
        "code_version": bool(run.flow_version),
        "assets": " ← ".join(trail(chain)),
        "recorded_version": "a hash of the flow's file"
        if run.flow_version == file_hash(__file__)
        else run.flow_version,
    }


def test_l1_back_from_the_model(results: Path, tmp_path: Path, scenario: Scenario) -> None:
    for month in ("May", "June"):
        (tmp_path / f"{month}.csv").write_text(month)
    plain, told = (observe(pipeline, tmp_path) for pipeline in (obvious, idiom))
    scenario.obvious(obvious, features_obvious, model_obvious, **plain)
    scenario.idiom(idiom, drop, features_idiom, model_idiom, **told)
    scenario.finding(
        f"The events of an asset name its flow run, whose parameters are on record, and the assets before it, "
        f"{plain['assets']}; the source files are there if the task adds their digests to the asset's metadata, and "
        f"each file by name if the flow names it. The server keeps events for "
        f"{get_current_settings().server.events.retention_period.days} days."
    )
