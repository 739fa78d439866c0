"""Prefect runs a month as often as it is asked to; with an idempotency key it hands back the run that there is."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from prefect_impl import pipeline
from shared.lib import registry, tracking
from shared.lib.store import sha256
from shared.settings import Settings
from tests.live import prefect
from tests.scenario import Scenario

MONTH = "2013-06"


def start_obvious(settings: Settings) -> UUID:
    return prefect.start(pipeline.late_flights, prefect.pool(), job(settings), month=MONTH, **asked(settings))


def start_idiom(settings: Settings) -> UUID:
    return prefect.start(pipeline.late_flights, prefect.pool(), job(settings), MONTH, month=MONTH, **asked(settings))


def job(settings: Settings) -> dict[str, Any]:
    return {"env": {"TRIPTYCH_HOME": str(settings.home)}}


def asked(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(include={"source", "min_rows", "families"})


@pytest.mark.live
def test_r8_same_month_twice(home: Path, source: Path, scenario: Scenario) -> None:
    settings = Settings(tool="prefect", source=str(source), min_rows=100, families=("logistic",))
    with tracking.registry_lock(settings):  # holds both where the champion is put in service
        pair = [start_obvious(settings) for _ in range(2)]
        for run in pair:
            prefect.task_run("evaluate", run)
    for run in pair:
        prefect.wait(run)
    plain = observe([*pair, start_obvious(settings)], settings)
    keyed = observe([start_idiom(settings) for _ in range(3)], settings)

    assert overlap(*pair) > 0
    assert plain["one_champion"]
    assert not plain["second_refused"]
    assert keyed["second_refused"]
    scenario.obvious(start_obvious, **plain)
    scenario.idiom(start_idiom, **keyed)
    scenario.finding(
        f"Prefect ran the month three times ({', '.join(plain['states'])}), and one version and one champion were "
        f"left, by the stages' own work; asked with an idempotency key, it handed back {keyed['refusal']}."
    )


def observe(runs: list[UUID], settings: Settings) -> dict[str, Any]:
    states = [prefect.wait(run).name for run in runs]
    versions = tracking.client(settings).search_model_versions(f"name = '{settings.model_name}'")
    files = [path for path in settings.store.rglob("*.*") if path.suffix in (".csv", ".arrow")]
    assert files
    assert not list(settings.store.rglob(".tmp-*"))
    return {
        "success": all(state == "Completed" for state in states),
        "one_champion": len(versions) == 1 and registry.aliases(settings) == {"champion": "1"},
        "no_torn_file": all(sha256(path.read_bytes()) in path.name for path in files),
        "second_refused": len(set(runs)) == 1,
        "states": states,
        "refusal": "the first run's id" if len(set(runs)) == 1 else "none",
    }


def overlap(*runs: UUID) -> float:
    """For how many seconds all of the runs were running, by the API."""
    with prefect.client() as api:
        found = [api.read_flow_run(run) for run in runs]
    return (min(run.end_time for run in found) - max(run.start_time for run in found)).total_seconds()
