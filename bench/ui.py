"""A month run by each tool's web UI: the command `…-ui`, whose API is asked for a run as the page's form asks it."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from shared.runtime import records
from tools.demo import python_of

LAUNCH = "mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename } }"
SECONDS = 300.0


def seconds(tool: str, month: str, home: Path) -> float:
    """From the press of the button to the end of the run that the tool's UI has started."""
    path = records.path_of_success(tool, month, home)
    path.unlink(missing_ok=True)
    with ui(tool, home) as url:
        asked = datetime.now(UTC)
        {"airflow": ask_airflow, "prefect": ask_prefect, "dagster": ask_dagster}[tool](url, month)
        deadline = time.monotonic() + SECONDS
        while not path.exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{tool}'s UI has run no {month} within {SECONDS:.0f} s")
            time.sleep(0.1)
    return (records.read(tool, month, home).ended - asked).total_seconds()


@contextmanager
def ui(tool: str, home: Path) -> Iterator[str]:
    """The address of the tool's UI, which runs until the block ends."""
    command = [python_of(tool), "-m", f"{tool}_impl.ui"]
    env = {**os.environ, "TRIPTYCH_HOME": str(home)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = iter(process.stdout or ())
            url = next((found[0] for line in lines if (found := re.search(r"http://127\.0\.0\.1:\d+", line))), None)
            if url is None:
                raise RuntimeError(f"{tool}'s web UI has not come up; it says why")
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()  # reads to the end: with nobody to read its last line, the command would fail


def post(url: str, body: dict[str, Any], token: str = "") -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.post(url, json=body, headers=headers, timeout=60, trust_env=False).raise_for_status().json()


def get(url: str) -> Any:
    return httpx.get(url, timeout=60, trust_env=False).raise_for_status().json()


def ask_airflow(url: str, month: str) -> None:
    token = get(f"{url}/auth/token")["access_token"]
    post(f"{url}/api/v2/dags/late_flights/dagRuns", {"logical_date": None, "conf": {"month": month}}, token)


def ask_prefect(url: str, month: str) -> None:
    deployment = get(f"{url}/api/deployments/name/late-flights/monthly-retraining")
    post(f"{url}/api/deployments/{deployment['id']}/create_flow_run", {"parameters": {"month": month}})


def ask_dagster(url: str, month: str) -> None:
    location = {"repositoryLocationName": "triptych", "repositoryName": "__repository__", "jobName": "retrain"}
    metadata = {"tags": [{"key": "dagster/partition", "value": month}]}
    answer = post(
        f"{url}/graphql",
        {"query": LAUNCH, "variables": {"params": {"selector": location, "executionMetadata": metadata}}},
    )
    assert "LaunchRunSuccess" in json.dumps(answer), answer
