"""The command that asks a tool's own records where a model comes from, and where a file went."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.runtime import records
from shared.runtime.records import RunRecord
from tests.conftest import TOOL

pytestmark = pytest.mark.slow


def command(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", f"{TOOL}_impl.{module}", *words]
    return subprocess.run(call, capture_output=True, text=True, timeout=240)


@pytest.fixture(scope="module")
def trained(prepared_home: Path, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunRecord]:
    """The record of a run in a home that the tests of this file share."""
    home = tmp_path_factory.mktemp("lineage") / "hôme"
    shutil.copytree(prepared_home, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_HOME", str(home))
        done = command("run", "2013-06", "--source", str(source), "--min-rows", "100", "--families", "logistic")
        assert done.returncode == 0, done.stdout + done.stderr
        yield records.read(TOOL, "2013-06", home)


def test_lineage_of_the_champion_leads_to_run_settings_and_source_files(trained: RunRecord, source: Path) -> None:
    told = command("lineage", "--model", "champion").stdout
    assert f"version 1, put in service by the run of 2013-06; fingerprint {trained.champion.fingerprint[:12]}" in told
    assert trained.run_id in told
    assert f"source={str(source)!r}" in told
    assert "min_rows=100" in told
    assert not [name for name, sha256 in trained.inputs.items() if f"{name:22} {sha256}" not in told], told
    assert "not known" not in told
    as_json = command("lineage", "--model", "champion", "--json").stdout.splitlines()[-1]
    assert json.loads(as_json)["files"] == trained.inputs


def test_lineage_of_a_source_file_leads_to_the_models_made_from_it(trained: RunRecord) -> None:
    used, unused = (command("lineage", "--file", f"flights/2013-{month}.csv").stdout for month in ("05", "07"))
    assert f"  version 1 of 2013-06, run {trained.run_id}, sha256 {trained.inputs['flights/2013-05.csv'][:12]}" in used
    assert "flights/2013-07.csv went into none of the 1 models" in unused


@pytest.mark.usefixtures("trained")
def test_lineage_of_an_unknown_model_is_refused_in_one_sentence() -> None:
    refused = command("lineage", "--model", "7")
    assert refused.returncode == 1
    assert f"error: {TOOL} knows of no model '7' that was in service, but of 1; name one, or champion" in refused.stderr
    assert "Traceback" not in refused.stderr
