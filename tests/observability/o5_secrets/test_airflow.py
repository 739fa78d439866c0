"""Airflow masks a connection's password in what a task logs, as it stands; other forms of it if they are named."""

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from airflow.sdk import Connection, dag, task
from airflow.sdk.log import mask_secret

from tests.live.airflow import Engine, Run, path_of
from tests.scenario import Scenario
from tests.secrets import answers, basic, find, forms_in, locked_source, use

log = logging.getLogger(__name__)


@dag(dag_id="o5_obvious", schedule=None, params={"url": "", "connection": "", "talkative": False})
def obvious() -> None:
    @task(retries=1, retry_delay=timedelta(seconds=1))
    def fetch(*, params: dict[str, Any], ti: Any) -> int:
        password = Connection.get(params["connection"]).password
        return use(password, params["url"], log, params["talkative"] and ti.try_number == 1)

    fetch()


@dag(dag_id="o5_idiom", schedule=None, params={"url": "", "connection": "", "talkative": False})
def idiom() -> None:
    @task(retries=1, retry_delay=timedelta(seconds=1))
    def fetch(*, params: dict[str, Any], ti: Any) -> int:
        password = Connection.get(params["connection"]).password
        mask_secret([quote(password, safe=""), basic(password)])
        return use(password, params["url"], log, params["talkative"] and ti.try_number == 1)

    fetch()


obvious_dag, idiom_dag = obvious(), idiom()


def start(dag_id: str, password: str, url: str, live: Engine) -> Run:
    """Run the Dag with the password as that of a connection, made as *Admin › Connections* does."""
    connection = {"connection_id": password.replace(" ", "_").replace("&", "_"), "conn_type": "http", "login": "vendor"}
    live.ask("POST", "connections", json=connection | {"password": password}).raise_for_status()
    talkative = password.endswith("&1")
    return live.start(dag_id, {"url": url, "connection": connection["connection_id"], "talkative": talkative})


def places(run: Run, password: str, live: Engine) -> dict[str, set[str]]:
    """Where the password is when the run has ended."""
    assert live.wait(run) == "success"
    log = "\n".join(live.log(run, "fetch", number) for number in range(1, live.attempts(run)["fetch"] + 1))
    assert ("the password is" in log) == password.endswith("&1")
    asked = [path_of(run), f"{path_of(run)}/taskInstances", f"{path_of(run)}/taskInstances/fetch/xcomEntries"]
    asked += [f"dags/{run.dag_id}/details", "connections", "eventLogs", "config"]
    told = forms_in(password, log + "".join(live.ask("GET", path).text for path in asked))
    return find(password, live.folder / "airflow") | ({"API": told} if told else {})


@pytest.mark.live
def test_o5_secrets(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    # Not alike: else the part of one that is whole in base64 is found in the other's.
    passwords = {name: [f"o5 {n} {name}&{n}" for n in range(2)] for name in ("obvious", "idiom")}
    with locked_source(tmp_path, *passwords["obvious"], *passwords["idiom"]) as url:
        runs = {word: start(f"o5_{name}", word, url, live) for name, words in passwords.items() for word in words}
        found = {word: places(run, word, live) for word, run in runs.items()}
    seen = {name: answers(*(found[word] for word in words)) for name, words in passwords.items()}
    printed = forms_in(passwords["idiom"][1], (live.folder / "airflow.log").read_bytes())
    scenario.obvious(obvious, success=True, **seen["obvious"])
    scenario.idiom(idiom, success=True, **seen["idiom"])
    scenario.finding(
        f"A connection is stored encrypted, and its password is masked as *** wherever a task logs or raises it as it "
        f"stands, but not in other forms: it was found {seen['obvious']['places']}. What the task names to mask_secret "
        f"is masked, too: with header and URL form named it was found {seen['idiom']['places']}. LocalExecutor repeats "
        f"the tasks' logs on the scheduler's standard output, and there the password stood "
        f"{' and '.join(sorted(printed)) or 'in no form'}."
    )
