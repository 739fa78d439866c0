"""Dagster's Celery executor: an event of each step names the worker."""

from pathlib import Path

import pytest

from tests.scale.s2_two_machines import observe
from tests.scenario import Scenario

EVENTS = """{ runsOrError { ... on Runs { results { eventConnection { events {
  ... on EngineEvent { stepKey metadataEntries { label ... on TextMetadataEntry { text } } }
} } } } } }"""


@pytest.mark.live
@pytest.mark.own_engine
@pytest.mark.usefixtures("home")
def test_s2_two_machines(source: Path, tmp_path: Path, scenario: Scenario) -> None:
    import httpx

    from dagster_impl import cluster
    from shared.runtime.cluster import Engine

    def workers_of(engine: Engine) -> list[str]:
        answer = httpx.post(f"{engine.url}/graphql", json={"query": EVENTS}, timeout=60, trust_env=False).json()
        (run,) = answer["data"]["runsOrError"]["results"]
        return [
            entry["text"]
            for event in run["eventConnection"]["events"]
            for entry in event.get("metadataEntries", ())
            if entry["label"] == "Celery worker" and "train" in (event["stepKey"] or "")
        ]

    seen = observe("dagster", cluster.running, source, tmp_path / "cluster", workers_of)
    assert seen["both_train"]
    assert seen["same_champion"]
    scenario.obvious(cluster.running, **seen, engine="Celery executor")
    scenario.finding(
        "The job took another executor, and the instance another storage. An event of each step has the name of its "
        f"worker ({', '.join(seen['candidates'])})."
    )
