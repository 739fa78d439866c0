"""OpenLineage events as they arrived: whether they keep to the standard, and the graph that they tell.

`spec/` holds the schemas that OpenLineage publishes (https://openlineage.io/spec, Apache License 2.0), as they are.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from shared.runtime import openlineage

Event = dict[str, Any]
SPEC = Path(__file__).with_name("spec")
RUN_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
ENDS = {"COMPLETE", "FAIL", "ABORT"}


def to_file(log: Path) -> dict[str, str]:
    """The standard variables that let events be appended to the file."""
    transport = {"TYPE": "file", "LOG_FILE_PATH": str(log), "APPEND": "true"}
    return {f"OPENLINEAGE__TRANSPORT__{name}": value for name, value in transport.items()}


@contextmanager
def switched_on(log: Path) -> Iterator[None]:
    """Let what this process sends go to the file, until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in to_file(log).items():
            patch.setenv(name, value)
        openlineage.client.cache_clear()
        yield
    openlineage.client.cache_clear()


def read_events(path: Path) -> list[Event]:
    """The events that the client's file transport has appended to the file, in that order."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def schemas() -> Registry[Any]:
    """The published schemas by their address; those of Airflow's facets are in its provider, without one."""
    found = [json.loads(path.read_text("utf-8")) for path in SPEC.glob("*.json")]
    by_address = [(schema["$id"], Resource.from_contents(schema)) for schema in found]
    return Registry(retrieve=of_airflow).with_resources(by_address)


def of_airflow(address: str) -> Resource[Any]:
    provider = find_spec("airflow.providers.openlineage") if "/airflow/" in address else None
    if provider is None or provider.origin is None:
        raise LookupError(address)
    path = Path(provider.origin).parent / "facets" / address.rpartition("/")[2]
    return Resource.from_contents(json.loads(path.read_text("utf-8")))


SCHEMAS = schemas()


def problems(events: list[Event]) -> list[str]:
    """What the standard forbids: in each event, in each facet by its own schema, and in the course of each run."""
    found = [f"{event['job']['name']}: {problem}" for event in events for problem in broken_schemas(event)]
    by_run = defaultdict(list)
    for event in events:
        by_run[event["run"]["runId"]].append(event)
    return found + [f"run {run}: {problem}" for run, course in by_run.items() for problem in broken_course(course)]


def broken_schemas(event: Event) -> Iterator[str]:
    yield from violations(event, RUN_EVENT)
    for facets in facets_of(event):
        for name, facet in facets.items():
            yield from (f"{name}: {problem}" for problem in violations(facet, str(facet.get("_schemaURL"))))


def violations(instance: Any, address: str) -> Iterator[str]:
    validator = Draft202012Validator(
        {"$ref": address}, registry=SCHEMAS, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    try:
        yield from (error.message for error in validator.iter_errors(instance))
    except Exception as error:  # referencing wraps what is raised in several classes
        yield f"no schema at {address} ({type(error).__name__})"


def facets_of(event: Event) -> Iterator[dict[str, Any]]:
    """All groups of facets of an event: of its run, its job, its datasets."""
    yield event["run"].get("facets", {})
    yield event["job"].get("facets", {})
    for dataset in (*event.get("inputs", ()), *event.get("outputs", ())):
        yield from (dataset.get(group, {}) for group in ("facets", "inputFacets", "outputFacets"))


def broken_course(course: list[Event]) -> Iterator[str]:
    """A run has one job, begins with its one START, and ends with its one COMPLETE, FAIL or ABORT."""
    jobs = {(event["job"]["namespace"], event["job"]["name"]) for event in course}
    if len(jobs) > 1:
        yield f"it is of {len(jobs)} jobs: {sorted(name for _, name in jobs)}"
    states = [event["eventType"] for event in course]
    if states[0] != "START" or states.count("START") != 1:
        yield f"it does not begin with its one START: {states}"
    if states[-1] not in ENDS or sum(state in ENDS for state in states) != 1:
        yield f"it does not end with its one COMPLETE, FAIL or ABORT: {states}"
    if sorted(course, key=lambda event: str(event["eventTime"])) != course:
        yield f"its events are not in time: {[event['eventTime'] for event in course]}"


def parents(events: list[Event]) -> set[tuple[str, str]]:
    """Each job with the job of the run that its run is part of, if that run has events, too."""
    job_of = {event["run"]["runId"]: event["job"]["name"] for event in events}
    facets = [(event["job"]["name"], event["run"].get("facets", {}).get("parent")) for event in events]
    return {(job, job_of[facet["run"]["runId"]]) for job, facet in facets if facet and facet["run"]["runId"] in job_of}


def edges(events: list[Event]) -> set[tuple[str, str]]:
    """(dataset, job) of each input and (job, dataset) of each output."""
    read = {(dataset["name"], event["job"]["name"]) for event in events for dataset in event.get("inputs", ())}
    written = {(event["job"]["name"], dataset["name"]) for event in events for dataset in event.get("outputs", ())}
    return read | written
