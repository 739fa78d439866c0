"""Prefect retries a flow run from the start; tasks whose result was persisted come from the cache."""

import shutil
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect import flow, task, unmapped
from prefect.flows import load_flow_from_entrypoint

from tests.faults import scripted_source
from tests.live import prefect
from tests.scenario import Scenario

SUFFIX = ".csv"
NAMES = ["airlines", "airports", "planes"]


@task(task_run_name="{name}")
def load(url: str, name: str) -> int:
    return len(httpx.get(f"{url}/{name}{SUFFIX}").raise_for_status().content)


@task(task_run_name="fan-in")
def total(sizes: list[int]) -> int:
    return sum(sizes)


@flow
def obvious(url: str) -> int:
    return total(load.map(unmapped(url), NAMES).result())


@flow(persist_result=True)
def idiom(url: str) -> int:
    return total(load.map(unmapped(url), NAMES).result())


def test_r5_resume_after_a_fix(results: Path, source: Path, tmp_path: Path, scenario: Scenario) -> None:
    drop, code = tmp_path / "drop", tmp_path / "pipeline.py"
    seen = {}
    for version in ("obvious", "idiom"):
        shutil.copytree(source, drop)
        (drop / "airports.csv").unlink()
        shutil.copy(__file__, code)
        with scripted_source(drop, {}) as http:
            run = fail(code, version, http.url)
            shutil.copy(source / "airports.csv", drop)
            again = resume(run, code, version)
            asked = {name: len(http.times(f"{name}.csv")) for name in NAMES}

            code.write_text(Path(__file__).read_text().replace('= ".csv"', '= ".cvs"'))
            wrong = fail(code, version, http.url)
            shutil.copy(__file__, code)
            mended = resume(wrong, code, version)
        shutil.rmtree(drop)
        attempts = prefect.attempts(run, 7)
        assert {name: attempts[name] for name in NAMES} == asked
        with prefect.client() as api:
            rounds = api.read_flow_run(run).run_count
        seen[version] = {
            "success": again.is_completed(),
            "finished_reused": attempts["airlines"] == attempts["planes"] == 1,
            "failed_runs_again": attempts["airports"] == 2 and attempts["fan-in"] == 1,
            "run_succeeds": again.is_completed(),
            "new_code_used": mended.is_completed(),
            "attempts": attempts,
            "resume": "prefect flow-run retry",
            "record": f"the same flow run, run_count {rounds}",
        }
    assert not seen["obvious"]["finished_reused"]
    assert seen["idiom"]["finished_reused"]
    scenario.obvious(obvious, load, total, **seen["obvious"])
    scenario.idiom(idiom, load, total, **seen["idiom"])
    scenario.finding(
        "`prefect flow-run retry` runs the flow again, with the mended code. By default all tasks run again; with "
        f"`persist_result=True` the finished ones ({' and '.join(sorted(cached(run)))}) are Cached. Tries over both "
        f"rounds: {tries(seen['obvious'])}, and with `persist_result=True` {tries(seen['idiom'])}."
    )


def tries(seen: dict[str, Any]) -> str:
    return ", ".join(f"{task} {count}" for task, count in seen["attempts"].items())


def fail(code: Path, version: str, url: str) -> UUID:
    end = load_flow_from_entrypoint(f"{code}:{version}")(url, return_state=True)
    assert end.is_failed()
    return end.state_details.flow_run_id


def resume(run: UUID, code: Path, version: str) -> Any:
    prefect.command("flow-run", "retry", run, "--entrypoint", f"{code}:{version}")
    return prefect.wait(run)


def cached(run: UUID) -> list[str]:
    return [task_run.name for task_run in prefect.task_runs(run) if task_run.state_name == "Cached"]
