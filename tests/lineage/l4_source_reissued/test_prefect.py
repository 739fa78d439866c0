"""Prefect tells by events what was made from what; whether that is out of date, one's own code has to work out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.assets import add_asset_metadata, materialize

from prefect_impl.lineage import materializations, origins
from shared.lib.store import sha256
from tests.live import prefect
from tests.live.watch import until
from tests.scenario import Scenario

ASSETS = ("source", "features", "model")


def digest(file: str) -> str:
    return sha256(Path(file).read_bytes())


@materialize("l4obvious://source")
def source_obvious(file: str) -> dict[str, str]:
    return {"sha256": digest(file)}


@materialize("l4obvious://features")
def features_obvious(source: dict[str, str]) -> dict[str, str]:
    return {"of": source["sha256"]}


@materialize("l4obvious://model")
def model_obvious(features: dict[str, str]) -> str:
    return f"model of {features}"


@flow
def obvious(file: str, report_only: bool = False) -> None:
    source = source_obvious(file)
    if not report_only:
        model_obvious(features_obvious(source))


@materialize("l4idiom://source")
def source_idiom(file: str) -> dict[str, str]:
    add_asset_metadata("l4idiom://source", {"sha256": digest(file)})
    return {"sha256": digest(file)}


@materialize("l4idiom://features")
def features_idiom(source: dict[str, str]) -> dict[str, str]:
    return {"of": source["sha256"]}


@materialize("l4idiom://model")
def model_idiom(features: dict[str, str]) -> str:
    return f"model of {features}"


@flow
def idiom(file: str, report_only: bool = False) -> None:
    source = source_idiom(file)
    if not report_only:
        model_idiom(features_idiom(source))


def made(name: str, asset: str) -> list[Any]:
    """The asset's events, the newest first."""
    with prefect.client() as api:
        return list(materializations(f"l4{name}://{asset}", api))


def told(name: str) -> list[str]:
    """What Prefect itself says of features and model after they were made: any further event of theirs."""
    return [f"{asset}: {event.event}" for asset in ASSETS[1:] for event in made(name, asset)[:-1]]


def out_of_date(name: str) -> list[str]:
    """The assets that were made from another content than the source has now."""
    now, found = made(name, "source")[0].payload["sha256"], []
    for asset in ASSETS[1:]:
        with prefect.client() as api:
            source = dict(origins(made(name, asset)[0], api))[f"l4{name}://source"]
        if source and source.payload["sha256"] != now:
            found.append(f"{asset}: source was {source.payload['sha256'][:7]} and is {now[:7]}")
    return found


def observe(pipeline: Any, ask: Callable[[str], list[str]], file: Path) -> dict[str, Any]:
    def run(content: str, reports: int) -> bool:
        file.write_text(content)
        ended = pipeline(str(file), report_only=reports > 1, return_state=True)
        until(lambda: [len(made(pipeline.name, asset)) for asset in ASSETS] == [reports, 1, 1])
        return bool(ended.is_completed())

    ended = [run("May", 1), run("May", 2)]
    same = ask(pipeline.name)
    ended.append(run("May, corrected", 3))
    changed = ask(pipeline.name)
    return {
        "success": all(ended),
        "knows_features": any(line.startswith("features: ") for line in changed),
        "knows_model": any(line.startswith("model: ") for line in changed),
        "cause": bool(changed) and all(": source " in line for line in changed),
        "same_content": bool(changed) and not same,
        "same": same,
        "changed": changed,
    }


def test_l4_source_reissued(results: Path, tmp_path: Path, scenario: Scenario) -> None:
    plain = observe(obvious, told, tmp_path / "May.csv")
    compared = observe(idiom, out_of_date, tmp_path / "May.csv")
    scenario.obvious(obvious, source_obvious, features_obvious, model_obvious, **plain)
    scenario.idiom(
        idiom,
        source_idiom,
        features_idiom,
        model_idiom,
        out_of_date,
        own_code="Prefect keeps no state of an asset: a function of one's own compares the digests in the events.",
        **compared,
    )
    scenario.finding(
        f"Prefect keeps events of assets and no state: after other content it tells nothing of features and model "
        f"({len(plain['changed'])} events). The events suffice to work it out, by comparing the digest that the model "
        f"was made from with the source's newest one: {'; '.join(compared['changed'])}."
    )
