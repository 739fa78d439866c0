"""The workflows for GitHub keep to the published schema, and run commands that there are."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from shared.settings import ROOT

# SchemaStore's src/schemas/json/github-workflow.json (Apache-2.0)
SCHEMA = ROOT / "tests" / "github" / "github-workflow.json"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(path: Path) -> Any:
    """The workflow as JSON has it: YAML 1.1 reads the key `on` as true."""
    found = yaml.safe_load(path.read_text("utf-8"))
    return {("on" if name is True else name): value for name, value in found.items()}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_keeps_to_the_schema(path: Path) -> None:
    validator = Draft7Validator(json.loads(SCHEMA.read_text("utf-8")))
    assert [error.message for error in validator.iter_errors(read(path))] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_runs_targets_of_the_makefile(path: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
    steps = [step["run"] for job in read(path)["jobs"].values() for step in job["steps"] if "run" in step]
    called = re.findall(r"\bmake ([a-z-]+)", "\n".join(steps))
    assert called
    assert set(called) <= set(targets)


def test_workflow_with_an_unknown_key_is_told() -> None:
    workflow = read(WORKFLOWS[0])
    (job, *_) = workflow["jobs"].values()
    job["step"] = []
    assert list(Draft7Validator(json.loads(SCHEMA.read_text("utf-8"))).iter_errors(workflow))
