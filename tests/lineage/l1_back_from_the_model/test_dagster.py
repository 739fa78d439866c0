"""Dagster tags each materialization with those that it was made from; what is in a source file, an asset must tell."""

import json
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_impl.lineage import facts, origins
from shared.lib.store import sha256
from tests.scenario import Scenario


class Folder(dg.Config):
    path: str
    seed: int = 0


def digests(folder: str) -> dict[str, str]:
    return {file.name: sha256(file.read_bytes()) for file in sorted(Path(folder).glob("*.csv"))}


@dg.asset(name="features")
def features_obvious(config: Folder) -> int:
    return len(digests(config.path))


@dg.asset(name="model")
def model_obvious(config: Folder, features: int) -> str:
    return f"model of {features} files"


@dg.asset(name="features", code_version="1")
def features_idiom(config: Folder) -> dg.MaterializeResult[int]:
    files = digests(config.path)
    version = dg.DataVersion(sha256(json.dumps(files).encode()))
    return dg.MaterializeResult(value=len(files), metadata={"inputs": files}, data_version=version)


@dg.asset(name="model", code_version="1")
def model_idiom(config: Folder, features: int) -> str:
    return f"model of {features} files"


def observe(features: Any, model: Any, folder: Path) -> dict[str, Any]:
    instance, config = dg.DagsterInstance.ephemeral(), Folder(path=str(folder), seed=7)
    result = dg.materialize(
        [features, model], instance=instance, run_config=dg.RunConfig({"features": config, "model": config})
    )
    (made,) = instance.fetch_materializations(dg.AssetKey("model"), limit=1).records
    run, chain = instance.get_run_by_id(made.run_id), list(origins(made, instance))
    inputs = [facts(record).get("inputs") for record in chain]
    version = made.asset_materialization.tags["dagster/code_version"]
    return {
        "success": result.success,
        "run": run is not None and run.run_id == result.run_id,
        "settings": run is not None and run.run_config["ops"]["model"]["config"]["seed"] == 7,
        "features": dg.AssetKey("features") in [record.asset_key for record in chain],
        "files": digests(str(folder)) in inputs,
        "code_version": version != made.run_id,
        "assets": " ← ".join(record.asset_key.to_user_string() for record in chain),
        "recorded_version": "the run's id" if version == made.run_id else version,
    }


def test_l1_back_from_the_model(tmp_path: Path, scenario: Scenario) -> None:
    for month in ("May", "June"):
        (tmp_path / f"{month}.csv").write_text(month)
    plain = observe(features_obvious, model_obvious, tmp_path)
    told = observe(features_idiom, model_idiom, tmp_path)
    scenario.obvious(features_obvious.op, model_obvious.op, **plain)
    scenario.idiom(features_idiom.op, model_idiom.op, **told)
    scenario.finding(
        f"The tags of a materialization name those that it was made from, {plain['assets']}, and its run holds the "
        f"settings; the source files are there if an asset puts their digests into its metadata. As version of the "
        f"code Dagster puts {plain['recorded_version']}, unless one is declared ({told['recorded_version']})."
    )
