"""Dagster compares data versions: an asset is out of date when one that it depends on has another version."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from shared.lib.store import sha256
from tests.live.dagster import Engine
from tests.scenario import Scenario

STALE = """query ($keys: [AssetKeyInput!]) {
  assetNodes(assetKeys: $keys) { assetKey { path } staleStatus staleCauses { key { path } reason } }
}"""


class File(dg.ConfigurableResource):
    path: str = ""

    def digest(self) -> str:
        return sha256(Path(self.path).read_bytes())


@dg.asset
def l4_obvious_source(file: File) -> str:
    return file.digest()


@dg.asset
def l4_obvious_features(l4_obvious_source: str) -> str:
    return f"features of {l4_obvious_source}"


@dg.asset
def l4_obvious_model(l4_obvious_features: str) -> str:
    return f"model of {l4_obvious_features}"


@dg.observable_source_asset
def l4_idiom_source(file: File) -> dg.DataVersion:
    return dg.DataVersion(file.digest())


@dg.asset(deps=[l4_idiom_source])
def l4_idiom_features(file: File) -> str:
    return f"features of {file.digest()}"


@dg.asset(deps=[l4_idiom_source])  # too, as otherwise the model would count as up to date until there are new features
def l4_idiom_model(l4_idiom_features: str) -> str:
    return f"model of {l4_idiom_features}"


OBVIOUS = [l4_obvious_source, l4_obvious_features, l4_obvious_model]
IDIOM = [l4_idiom_source, l4_idiom_features, l4_idiom_model]
LIVE = dg.Definitions(
    assets=[*OBVIOUS, *IDIOM],
    jobs=[
        dg.define_asset_job("l4_obvious", OBVIOUS),
        dg.define_asset_job("l4_obvious_report", [l4_obvious_source]),
        dg.define_asset_job("l4_idiom", IDIOM[1:]),
        dg.define_asset_job("l4_idiom_report", [l4_idiom_source]),
    ],
    resources={"file": File()},
)


def stale(version: str, live: Engine) -> list[str]:
    """The assets that are out of date, and why, as the API tells the UI."""
    keys = [{"path": [f"l4_{version}_{asset}"]} for asset in ("source", "features", "model")]
    nodes = live.query(STALE, keys=keys)["assetNodes"]
    causes = {node["assetKey"]["path"][0]: node["staleCauses"] for node in nodes if node["staleStatus"] == "STALE"}
    told = [f"{asset}: {each['key']['path'][0]} {each['reason']}" for asset in causes for each in causes[asset]]
    return sorted(line.replace(f"l4_{version}_", "") for line in told)


def observe(version: str, file: Path, live: Engine) -> dict[str, Any]:
    def run(job: str) -> bool:
        defined = LIVE.resolve_job_def(job)
        config = {"resources": {"file": {"config": {"path": str(file)}}}}
        return defined.execute_in_process(config, live.instance).success

    file.write_text("May")
    ended = [run(f"l4_{version}_report"), run(f"l4_{version}")]
    assert not stale(version, live)
    ended.append(run(f"l4_{version}_report"))
    same = stale(version, live)
    file.write_text("May, corrected")
    ended.append(run(f"l4_{version}_report"))
    changed = stale(version, live)
    return {
        "success": all(ended),
        "knows_features": any(line.startswith("features: ") for line in changed),
        "knows_model": any(line.startswith("model: ") for line in changed),
        "cause": bool(changed) and all(": source " in line for line in changed),
        "same_content": bool(changed) and not same,
        "same": same,
        "changed": changed,
    }


@pytest.mark.live
def test_l4_source_reissued(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    plain = observe("obvious", tmp_path / "May.csv", live)
    told = observe("idiom", tmp_path / "May.csv", live)
    scenario.obvious(*(asset.op for asset in OBVIOUS), **plain)
    scenario.idiom(l4_idiom_source.observe_fn, *(asset.op for asset in IDIOM[1:]), **told)
    scenario.finding(
        f'Dagster compares data versions: after other content it tells "{"; ".join(told["changed"])}". The same '
        f"content changes nothing if the source's version is its digest; by default each materialization is a new one "
        f'("{"; ".join(plain["same"])}"). It looks at direct dependencies only: the model is told to be out of date '
        f"if it depends on the source itself, too, and otherwise not before there are new features."
    )
