"""Prefect's events in OpenLineage's words."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from openlineage.client.serde import Serde
from prefect.events import Event

from prefect_impl.openlineage_events import last_course, run_events
from tests.openlineage import edges, parents, problems

FLOW, ONE, TWO = (f"0196c000-0000-7000-8000-00000000000{n}" for n in range(3))
BEGAN = datetime(2013, 6, 1, tzinfo=UTC)


def told(second: int, name: str, run: str, tries: int = 1, message: str = "", task: str = "fit") -> Event:
    """What Prefect says when a flow run or task run comes into a state, such as `task-run.Running`."""
    about, _, state = name.partition(".")
    types = {"Retrying": "RUNNING", "AwaitingRetry": "SCHEDULED", "Cached": "COMPLETED"}
    resource = {
        "prefect.resource.id": f"prefect.{about}.{run}",
        "prefect.state-type": types.get(state, state.upper()),
        "prefect.state-message": message,
        "prefect.run-count": str(tries),
    }
    flow = {"prefect.resource.id": "prefect.flow.7", "prefect.resource.role": "flow", "prefect.resource.name": "pipe"}
    payload = {"task_run": {"task_key": f"{task}-0a1b2c3d"}} if about == "task-run" else {}
    occurred = BEGAN + timedelta(seconds=second)
    return Event(occurred=occurred, event=f"prefect.{name}", resource=resource, related=[flow], payload=payload)


def made(second: int, asset: str, run: str, *sources: str) -> Event:
    roles = [(f"prefect.task-run.{run}", "task-run"), *((source, "asset") for source in sources)]
    related = [{"prefect.resource.id": key, "prefect.resource.role": role} for key, role in roles]
    name, resource = "prefect.asset.materialization.succeeded", {"prefect.resource.id": asset}
    return Event(occurred=BEGAN + timedelta(seconds=second), event=name, resource=resource, related=related)


def translated(events: Iterable[Event]) -> list[dict[str, Any]]:
    """The events as they are sent, which keep to the standard."""
    sent = [Serde.to_dict(each) for each in run_events(events)]
    assert problems(sent) == []
    return sent


def course(sent: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["eventType"], each["job"]["name"]) for each in sent]


def test_task_is_part_of_its_flow_run_and_tells_what_it_made_from_what() -> None:
    events = [
        told(0, "flow-run.Running", FLOW),
        told(1, "task-run.Running", ONE),
        told(2, "task-run.Completed", ONE),
        made(3, "app://model", ONE, "s3://drop/june.csv"),
        told(4, "flow-run.Completed", FLOW),
    ]
    for order in (events, events[::-1]):
        sent = translated(order)
        assert course(sent) == [
            ("START", "pipe"), ("START", "pipe.fit"), ("COMPLETE", "pipe.fit"), ("COMPLETE", "pipe")
        ]  # fmt: skip
        assert [each["run"]["runId"] for each in sent] == [FLOW, ONE, ONE, FLOW]
        assert parents(sent) == {("pipe.fit", "pipe")}
        assert edges(sent) == {("june.csv", "pipe.fit"), ("pipe.fit", "model")}
        assert sent[2]["inputs"][0]["namespace"] == "s3://drop"


def test_each_try_is_a_run_of_its_own() -> None:
    sent = translated(
        [
            told(0, "flow-run.Running", FLOW),
            told(1, "task-run.Running", ONE),
            told(2, "task-run.AwaitingRetry", ONE),
            told(3, "task-run.Retrying", ONE, tries=2),
            told(4, "task-run.Failed", ONE, tries=2, message="no such column"),
            told(5, "flow-run.Failed", FLOW, message="the flow failed"),
        ]
    )
    assert course(sent)[1:] == [
        ("START", "pipe.fit"), ("FAIL", "pipe.fit"), ("START", "pipe.fit"), ("FAIL", "pipe.fit"), ("FAIL", "pipe")
    ]  # fmt: skip
    assert len({each["run"]["runId"] for each in sent}) == 3
    messages = [each["run"]["facets"]["errorMessage"]["message"] for each in sent if each["eventType"] == "FAIL"]
    assert "keeps no message" in messages[0]
    assert messages[1:] == ["no such column", "the flow failed"]


def test_task_from_the_cache_is_no_run() -> None:
    events = [told(0, "flow-run.Running", FLOW), told(1, "task-run.Cached", ONE), told(2, "flow-run.Completed", FLOW)]
    assert course(translated(events)) == [("START", "pipe"), ("COMPLETE", "pipe")]


def test_what_a_crash_leaves_open_is_aborted() -> None:
    sent = translated(
        [
            told(0, "flow-run.Running", FLOW),
            told(1, "task-run.Running", ONE),
            told(2, "task-run.Running", TWO, task="score"),
            told(3, "task-run.Completed", TWO, task="score"),
            told(4, "flow-run.Crashed", FLOW, message="killed"),
        ]
    )
    assert course(sent)[-2:] == [("ABORT", "pipe.fit"), ("FAIL", "pipe")]


def test_flow_run_that_a_person_retries_is_told_anew() -> None:
    first = [told(0, "flow-run.Running", FLOW), told(1, "flow-run.Failed", FLOW, message="no source")]
    second = [
        told(2, "flow-run.Retrying", FLOW, tries=2),
        told(3, "task-run.Running", ONE),
        told(4, "task-run.Completed", ONE),
        told(5, "flow-run.Completed", FLOW, tries=2),
    ]
    assert last_course(first) == first
    assert last_course(first + second) == second
    assert parents(translated(second)) == {("pipe.fit", "pipe")}
    assert {each["run"]["runId"] for each in translated(first)}.isdisjoint(
        each["run"]["runId"] for each in translated(second)
    )
