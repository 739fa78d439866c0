"""OpenLineage events of a real run: they keep to the standard, and tell the same graph for all tools."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TOOL
from tests.faults import scripted_source
from tests.openlineage import edges, parents, problems, read_events, to_file

pytestmark = pytest.mark.slow

Events = list[dict[str, Any]]
STAGES = ("ingest", "validate", "features", "plan", "train", "evaluate", "deploy")
FILES = (
    *(f"{table}/2013-{month}.csv" for table in ("flights", "weather") for month in ("05", "06")),
    *(f"{lookup}.csv" for lookup in ("planes", "airports", "airlines")),
)
GRAPH = {*((file, "features") for file in FILES), ("features", "table"), ("table", "deploy"), ("deploy", "model")}
# Dagster names what is made, the others what is done.
DAGSTER = {
    "batch": "ingest", "validated_batch": "validate", "feature_table": "features", "training_plan": "plan",
    "evaluation": "evaluate", "champion": "deploy",
}  # fmt: skip


def stage(job: str) -> str:
    """`features` for the job of that stage, `run` for that of a whole run, the job's own last word for others."""
    last = job.rpartition(".")[2]
    return DAGSTER.get(last, last) if "." in job else "run"


def dataset(name: str) -> str:
    if name.startswith("late-flights-"):
        return "model"
    return "table" if name.endswith("/features/2013-06.arrow") else next(file for file in FILES if name.endswith(file))


def normalised(event: dict[str, Any]) -> dict[str, Any]:
    """The event with the names that all tools share."""
    named = {}
    for side in ("inputs", "outputs"):
        named[side] = [each | {"name": dataset(each["name"])} for each in event.get(side, ())]
    return event | named | {"job": {"name": stage(event["job"]["name"])}}


def run(tool: str, source: str, log: Path) -> Events:
    """The events of two months' runs: 2013-06 has candidates that can't be trained, 2013-07 has no file."""
    module = "shared.plain" if tool == "plain" else f"{tool}_impl.run"
    families = ["logistic", "tests.shared.families:broken"]
    call = [sys.executable, "-m", module, "2013-06", "2013-07", "--source", source, "--min-rows", "100", "--families"]
    done = subprocess.run(
        [*call, *families], env=os.environ | to_file(log), capture_output=True, text=True, timeout=400
    )
    assert "2013-06: success" in done.stdout, done.stdout + done.stderr
    assert "2013-07: failed" in done.stdout, done.stdout + done.stderr
    return read_events(log)


@pytest.fixture(scope="module")
def sent(source: Path, prepared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Events:
    """What the tool's runs have sent; the source has answered 503 once, so that `ingest` was tried again."""
    folder = tmp_path_factory.mktemp("events")
    shutil.copytree(prepared_home, folder / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_HOME", str(folder / "home"))
        with scripted_source(source, {"flights/2013-06.csv": [503]}) as vendor:
            return run(TOOL, vendor.url, folder / "log")


def test_events_keep_to_the_standard_also_of_failed_retried_skipped_and_mapped_instances(sent: Events) -> None:
    assert problems(sent) == []


def test_graph_is_the_expected_one(sent: Events) -> None:
    found = [normalised(event) for event in sent]
    assert edges(found) == GRAPH
    of_run = {(child, parent) for child, parent in parents(found) if child in STAGES}
    assert of_run == {(name, "run") for name in STAGES}


def test_plain_run_tells_the_same_graph(source: Path, home: Path, tmp_path: Path) -> None:
    sent = run("plain", str(source), tmp_path / "log")
    found = [normalised(event) for event in sent]
    assert problems(sent) == []
    assert edges(found) == GRAPH
    assert parents(found) == {(name, "run") for name in STAGES}


def test_each_try_and_each_candidate_is_a_run_and_a_failed_one_bears_its_error(sent: Events) -> None:
    """Of `ingest` one run was answered 503, and one found no file; of six candidates three could not be trained."""
    found = [normalised(event) for event in sent]
    ends = Counter((event["job"]["name"], event["eventType"]) for event in found)
    assert (ends["ingest", "FAIL"], ends["ingest", "COMPLETE"]) == (2, 1)
    assert (ends["train", "FAIL"], ends["train", "COMPLETE"]) == (3, 3)
    assert (ends["run", "FAIL"], ends["run", "COMPLETE"]) == (1, 1)
    errors = [event["run"]["facets"]["errorMessage"]["message"] for event in found if event["eventType"] == "FAIL"]
    assert [error for error in errors if "flights/2013-07.csv is missing" in error]


def test_datasets_bear_schema_version_quality_and_the_origin_of_each_column(sent: Events) -> None:
    found = [normalised(event) for event in sent]
    read = {each["name"]: each for event in found for each in event["inputs"]}
    written = {each["name"]: each for event in found for each in event["outputs"]}
    flights, table = read["flights/2013-06.csv"], written["table"]
    metrics = flights["inputFacets"]["dataQualityMetrics"]
    assert metrics["rowCount"] > metrics["columnMetrics"]["arr_delay"]["nullCount"] > 0
    assert len(flights["facets"]["version"]["datasetVersion"]) == 64
    assert "arr_delay" in [field["name"] for field in flights["facets"]["schema"]["fields"]]
    late = table["facets"]["columnLineage"]["fields"]["late"]["inputFields"]
    assert {(dataset(field["name"]), field["field"]) for field in late} == {
        (f"flights/2013-{month}.csv", "arr_delay") for month in ("05", "06")
    }
    assert {field["name"] for field in late} <= {each["name"] for event in sent for each in event.get("inputs", ())}
    assert table["facets"]["version"] == read["table"]["facets"]["version"]
    assert written["model"]["facets"]["version"]["datasetVersion"] == "1"
