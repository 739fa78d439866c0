"""Machines that share no disk: MLflow behind a server on PostgreSQL, artifacts and store on S3, locks in PostgreSQL."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import s3fs

from shared import plain
from shared.contracts import PermanentError
from shared.lib import registry, tracking
from shared.lib.serving import create_app, serve_in_thread
from shared.runtime import mlflow_ui, records, servers
from shared.runtime.cluster import shared_servers
from shared.runtime.records import RunRecord, differences
from shared.settings import ROOT, Settings
from tests.live.watch import until
from tests.shared.test_locks import waiting

MONTH = "2013-05"
COMMAND = [sys.executable, "-m", "shared.plain", MONTH, "--min-rows", "100", "--families", "logistic", "--source"]


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """What the machines share: the variables that lead to the servers, which the environment has, too."""
    with shared_servers(tmp_path / "shared") as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        yield variables


def run(home: Path, source: Path) -> subprocess.Popen[str]:
    """The run command on another machine: of this one's files it reads the source."""
    return subprocess.Popen(
        [*COMMAND, str(source)], cwd=ROOT, env={**os.environ, "TRIPTYCH_HOME": str(home)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_two_machines_that_deploy_at_once_leave_one_version_which_a_third_one_serves(
    shared: dict[str, str], tmp_path: Path, vendor: Path
) -> None:
    mlflow = shared["MLFLOW_TRACKING_URI"]
    one, other, third = (Settings(home=tmp_path / name) for name in ("one", "other", "third"))
    with tracking.registry_lock(third):  # holds both where the champion is put in service
        running = [run(machine.home, vendor) for machine in (one, other)]
        until(lambda: waiting(shared["TRIPTYCH_LOCKS"]) == 2 or any(process.poll() is not None for process in running))
    for process in running:
        assert process.wait(120) == 0, process.stdout.read() if process.stdout else ""
    first, second = (records.read("plain", MONTH, machine.home) for machine in (one, other))
    assert differences(first, second) == []
    assert [champion(record) for record in (first, second)] == ["1", "1"]
    assert registry.aliases(third) == {"champion": "1"}
    assert len(tracking.client(third).search_model_versions(f"name = '{third.model_name}'")) == 1
    kept = s3fs.S3FileSystem().find("triptych")
    assert {path.split("/")[1] for path in kept} == {"mlflow", "store"}
    assert [path for path in kept if path.endswith("model.skops")]
    assert not [path for path in one.mlflow.iterdir() if path.suffix != ".lock"]
    assert tracking.run_url(first.tracking.run_id, one).startswith(f"{mlflow}/#/experiments/")
    with serve_in_thread(create_app(third)) as url:
        assert httpx.get(f"{url}/health", timeout=60, trust_env=False).json()["version"] == "1"
    with pytest.raises(SystemExit, match=f"MLflow's pages are at {mlflow}, as MLFLOW_TRACKING_URI says"):
        mlflow_ui.main()


def champion(record: RunRecord) -> str:
    assert record.champion
    return record.champion.version


def test_server_that_does_not_answer_fails_the_run_in_one_sentence(
    tmp_path: Path, vendor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{servers.free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    found = plain.run(MONTH, Settings(home=tmp_path, source=str(vendor), min_rows=100))
    assert found.state == "failed"
    assert found.error
    assert f"MLflow's server does not answer ({url}/api/2.0/mlflow/" in found.error
    assert found.error.endswith("and the server up, and run the month again")


@pytest.mark.parametrize("url", ["http://user:secret@127.0.0.1:5000", "https://127.0.0.1/?token=secret"])
def test_login_in_the_servers_url_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    with pytest.raises(PermanentError, match="MLFLOW_TRACKING_TOKEN") as told:
        _ = Settings().tracking_uri
    assert "secret" not in str(told.value)
