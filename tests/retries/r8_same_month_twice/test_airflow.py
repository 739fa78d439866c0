"""Airflow lets two runs of a month go on at once; a run whose id is the month can be there only once."""

from pathlib import Path

import httpx
import pytest

from shared.settings import Settings
from tests.live.airflow import Engine, Run, conf
from tests.live.watch import until
from tests.scenario import Scenario

MONTH, DAG = "2013-06", "late_flights"


def obvious(live: Engine, settings: Settings) -> httpx.Response:
    return live.trigger(DAG, conf(MONTH, settings))


def idiom(live: Engine, settings: Settings) -> httpx.Response:
    return live.trigger(DAG, conf(MONTH, settings), run_id=MONTH)


@pytest.mark.live
def test_r8_same_month_twice(live: Engine, home: Path, source: Path, scenario: Scenario) -> None:
    from shared.lib import registry, store, tracking

    settings = Settings(tool="airflow", source=str(source), min_rows=100, families=("logistic",))
    until(lambda: live.http.get(f"dags/{DAG}").status_code == 200)
    with tracking.registry_lock(settings):  # holds both where the champion is put in service
        at_once = [obvious(live, settings), obvious(live, settings)]
        runs = [Run(DAG, answer.json()["dag_run_id"]) for answer in at_once]
        until(lambda: all(live.states(run).get("deploy") == "running" for run in runs), 240)
    states = [live.wait(run) for run in runs]
    again = idiom(live, settings)
    states.append(live.wait(Run(DAG, again.json()["dag_run_id"])))
    refused = idiom(live, settings)

    champion = registry.by_alias(registry.CHAMPION, settings)
    versions = tracking.client(settings).search_model_versions(f"name = '{settings.model_name}'")
    files = [path for path in settings.store.rglob("*") if path.is_file() and path.suffix != ".skops"]
    assert len(files) > 7
    left_behind = {
        "one_champion": len(versions) == 1 and registry.aliases(settings) == {"champion": str(versions[0].version)},
        "no_torn_file": all(store.sha256(path.read_bytes()) in path.name for path in files),
        "states": states,
    }
    success = states == ["success"] * 3
    scenario.obvious(
        obvious,
        success=success,
        second_refused=any(answer.status_code == 409 for answer in at_once),
        refusal="none",
        **left_behind,
    )
    scenario.idiom(
        idiom,
        success=success,
        second_refused=refused.status_code == 409,
        refusal=f"{refused.status_code}: {refused.json()['detail']['reason']}",
        **left_behind,
    )
    scenario.finding(
        f"Both runs started at once ended {' and '.join(states[:2])} and left version {champion.version} as the only "
        f"one, thanks to stages that can be repeated; asked for a second run with the month as its id, Airflow "
        f"answered {refused.status_code}."
    )
