"""Prefect keeps results in the home, or where a storage block says; the pipeline's files lie in the store."""

from pathlib import Path

import pytest

from prefect_impl import pipeline
from prefect_impl.run import run
from shared.settings import Settings
from tests.scale.s4_object_store import MONTH, observe
from tests.scenario import Scenario


@pytest.mark.slow
@pytest.mark.usefixtures("home")
def test_s4_object_store(source: Path, monkeypatch: pytest.MonkeyPatch, scenario: Scenario) -> None:
    settings = Settings(tool="prefect", source=str(source), min_rows=100)
    seen = observe("prefect", str(source), lambda: run(MONTH, settings), monkeypatch)
    assert seen["same_champion"]
    scenario.obvious(pipeline.features, **seen, hand_overs="results, in a folder of the home")
    scenario.finding(
        f"The run that met 503 was a success after {seen['attempts']} attempts at ingest (S3's client tries again, "
        "too), and the changed object was refused by its name. Results, which are references to objects, are "
        "kept in a folder, unless the flow gets a result storage (as on the cluster of make cluster)."
    )
