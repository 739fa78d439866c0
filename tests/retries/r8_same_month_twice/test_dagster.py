"""Dagster runs a month as often as it is asked; only a sensor's run key makes it refuse the second request."""

import json
from pathlib import Path

import dagster as dg
import pytest

from shared.lib.store import sha256
from shared.settings import ROOT, Settings, default_home
from tests.live.dagster import attempts, started
from tests.live.watch import until
from tests.scenario import Scenario


@dg.definitions
def retrain_once() -> dg.Definitions:
    """The pipeline, and a sensor that asks for the same month each second."""
    from dagster_impl.definitions import defs

    @dg.sensor(job_name="retrain", minimum_interval_seconds=1)
    def idiom() -> dg.RunRequest:
        config = json.loads((default_home() / "run_config.json").read_text())
        return dg.RunRequest(run_key="2013-06", run_config=config, tags={"dagster/partition": "2013-06"})

    return dg.Definitions.merge(defs(), dg.Definitions(sensors=[idiom]))


def torn_files(settings: Settings) -> list[Path]:
    """Half-written files, and files of the store whose name bears another digest than their content has."""
    files = [path for path in settings.home.rglob("*") if path.is_file()]
    inputs = [path for path in files if path.suffix in (".csv", ".arrow") and path.is_relative_to(settings.store)]
    assert inputs
    wrong = [path for path in inputs if sha256(path.read_bytes()) != path.name.split(".")[-2]]
    return wrong + [path for path in files if path.name.startswith(".tmp-")]


def left_behind(settings: Settings) -> dict[str, bool]:
    from shared.lib import registry, tracking

    versions = tracking.client(settings).search_model_versions(f"name = '{settings.model_name}'")
    return {
        "one_champion": len(versions) == 1 and registry.aliases(settings) == {"champion": "1"},
        "no_torn_file": torn_files(settings) == [],
    }


@pytest.mark.live
@pytest.mark.own_engine
def test_r8_same_month_twice(home: Path, source: Path, tmp_path: Path, scenario: Scenario) -> None:
    from dagster_impl.defs.assets import champion
    from shared.lib.tracking import registry_lock

    settings = Settings(tool="dagster", source=str(source), min_rows=100, families=("logistic",))
    resources = {"settings": {"config": settings.model_dump(mode="json", include={"source", "min_rows", "families"})}}
    (home / "run_config.json").write_text(json.dumps({"resources": resources}))
    with started(tmp_path / "engine", {"TRIPTYCH_HOME": str(home)}, {__name__: ROOT}) as live:

        def start() -> str:
            tags = {"dagster/partition": "2013-06"}
            return live.launch(__name__, "__repository__", "retrain", {"resources": resources}, tags)

        with registry_lock(settings):  # hold both where the champion is put in service
            runs = [start(), start()]
            for run_id in runs:
                until(lambda run_id=run_id: "champion" in attempts(live.instance, run_id))
            assert [live.run(run_id).status.value for run_id in runs] == ["STARTED", "STARTED"]
        for run_id in runs:
            live.wait(run_id)
        runs.append(start())
        live.wait(runs[-1])
        ended = [live.run(run_id).status.value for run_id in runs]
        scenario.obvious(
            champion.op,
            success=ended == ["SUCCESS"] * 3,
            second_refused=len(set(runs)) < 3,
            states=ended,
            refusal="none: each request is a run of its own",
            **left_behind(settings),
        )

        with live.sensor(__name__, "__repository__", "idiom"):
            until(lambda: len(live.ticks("idiom")) >= 3)
        ticks = live.ticks("idiom")
        (run_id,) = {run_id for tick in ticks for run_id in tick.run_ids}
        state = live.wait(run_id).status.value
        refused = [tick for tick in ticks if not tick.run_ids]
        scenario.idiom(
            retrain_once.load_fn,
            success=state == "SUCCESS",
            second_refused=len(refused) == len(ticks) - 1 >= 2,
            states=[state] + [tick.status.value for tick in refused[:2]],
            refusal=refused[0].skip_reason or f"tick {refused[0].status.value}, no run",
            **left_behind(settings),
        )
    scenario.finding(
        f"Dagster starts each run it is asked for ({', '.join(ended)}), and the pipeline's own lock sees to one "
        f"champion; only a sensor or schedule can refuse: of its {len(ticks)} requests with the run key 2013-06, "
        f"{len(ticks) - len(refused)} became a run."
    )
