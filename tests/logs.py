"""The stages' log lines, as a tool's own log has them."""

import json
import re
from collections.abc import Iterable
from typing import Any

from shared.runtime.records import STAGES

KEYS = ("EWR/logistic", "JFK/logistic", "LGA/logistic")


def fields(line: str) -> dict[str, Any]:
    """The fields of a line in logfmt."""
    pairs = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', line)
    return {name: json.loads(value) if value.startswith('"') else value for name, value in pairs}


def check(lines: Iterable[str], tool: str, run_id: str) -> None:
    """Each stage of a run of 2013-06 with the family logistic has one line, with all five fields."""
    found = [fields(line[line.index("tool=") :]) for line in lines if "tool=" in line and " stage=" in line]
    expected = [(stage, "") for stage in STAGES if stage != "train"] + [("train", key) for key in KEYS]
    assert sorted((line["stage"], line.get("key", "")) for line in found) == sorted(expected), found
    assert {(line["tool"], line["run"], line["month"], line["state"]) for line in found} == {
        (tool, run_id, "2013-06", "success")
    }
