"""What the events of two runs tell, in the names of the scenario: source, features, model."""

from collections import defaultdict
from pathlib import PurePosixPath
from typing import Any

from tests.openlineage import Event, parents, problems

ERROR = "no flight was late"


def answers(events: list[Event]) -> dict[str, Any]:
    """The scenario's answers and facts, from the events of a run that succeeds and one whose model fails."""
    read, writer = defaultdict(set), {}
    for event in events:
        job = event["job"]["name"]
        read[job] |= {name(dataset) for dataset in event.get("inputs", ())}
        writer |= {name(dataset): job for dataset in event.get("outputs", ())}
    made = [writer.get("features"), writer.get("model")]
    broken = problems(events)
    return {
        "emits": bool(events),
        "valid": bool(events) and not broken,
        "parent": all(made) and set(made) <= {job for job, _ in parents(events)},
        "inputs": all(made) and "source" in read[made[0]] and "features" in read[made[1]],
        "outputs": all(made),
        "failed": any(event["job"]["name"] == made[1] and ERROR in error(event) for event in events),
        "graph": ", ".join(f"{' and '.join(sorted(read[job])) or 'nothing'} → {made}" for made, job in writer.items()),
        "broken_rules": len(broken),
    }


def name(dataset: dict[str, Any]) -> str:
    """`features` for `/tmp/features.arrow`."""
    return PurePosixPath(dataset["name"]).stem


def error(event: Event) -> str:
    """The message of a FAIL; empty if it has none."""
    facet = event["run"].get("facets", {}).get("errorMessage", {})
    return str(facet.get("message", "")) if event["eventType"] == "FAIL" else ""
