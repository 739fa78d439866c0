"""Airflow's provider sends all of it, if the assets' URIs are of a scheme that it knows."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from airflow.listeners import hookimpl
from airflow.sdk import Asset, dag, task

from shared.settings import ROOT
from tests.lineage.l3_openlineage import ERROR, answers
from tests.live.airflow import InProcess
from tests.openlineage import read_events, to_file
from tests.scenario import Scenario

SOURCE = Asset("l3_source", uri="file:///l3/source.csv")
FEATURES = Asset("l3_features", uri="file:///l3/features.arrow")
MODEL = Asset("l3_model", uri="file:///l3/model.skops")


@dag(dag_id="l3_obvious", schedule=None, params={"late": 1})
def obvious() -> None:
    @task(inlets=[SOURCE], outlets=[FEATURES])
    def features() -> int:
        return 3

    @task(inlets=[FEATURES], outlets=[MODEL])
    def model(rows: int, *, params: dict[str, Any]) -> str:
        if not params["late"]:
            raise ValueError(ERROR)
        return f"model of {rows} rows"

    model(features())


obvious_dag = obvious()


@hookimpl
def on_task_instance_running(task_instance: Any) -> None:
    """In the scheduler's place, as `dag.test()` does not say that a Dag run begins."""
    if task_instance.task_id == "features":
        from airflow_impl.openlineage_events import tell_start

        tell_start(obvious_dag, task_instance.run_id)


def run_both() -> None:
    from airflow.sdk.listener import get_listener_manager

    get_listener_manager().add_listener(sys.modules[__name__])
    states = [obvious_dag.test(run_conf={"late": late}).state for late in (1, 0)]
    print("states", *states)


def test_l3_openlineage(in_process: InProcess, tmp_path: Path, scenario: Scenario) -> None:
    """In a process of its own: Airflow looks for the variables when it loads its plugins."""
    command = [sys.executable, "-c", f"from {__name__} import run_both; run_both()"]
    env = os.environ | to_file(tmp_path / "log")
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240)
    states = re.findall("^states (.*) (.*)$", done.stdout, re.M)
    assert states == [("success", "failed")], done.stdout + done.stderr
    told = answers(read_events(tmp_path / "log"))
    assert told["graph"] == "source → features, features → model"
    scenario.obvious(obvious, success=states[0][0] == "success", **told)
    scenario.finding(
        f"The official provider, switched on by the standard variables alone, tells {told['graph']}, with "
        f"{told['broken_rules']} breaches of the standard; assets whose URI is of a scheme that no provider knows it "
        f"drops without a word. That a Dag run begins only a scheduler says, in whose place the test does it here. In "
        f"a process that has used polars it must send from a thread (execute_in_thread), as its fork would hang."
    )
