"""What commands have kept for the page; what is not there yet is empty, and the page says which command makes it."""

import json
import tomllib
from pathlib import Path
from typing import Any

from shared.settings import ROOT
from tools import demo_lineage, scenarios_page

DOCS = ROOT / "docs"
PICTURES = ROOT / ".local" / "lineage"


def bench() -> dict[str, Any]:
    """What `make bench` measured."""
    return read("bench.json")


def mistakes() -> dict[str, Any]:
    """Ten mistakes, and for each tool the code, the message, and the seconds until a person sees it."""
    return read("mistakes.json")


def read(name: str) -> dict[str, Any]:
    path = DOCS / name
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def lineage() -> list[list[str]]:
    """What each tool knows about the demo's champion, as rows of a table whose first is the head."""
    if not demo_lineage.KEPT.exists():
        return []
    head, _, *rows = demo_lineage.rows()
    return [head, *rows]


def lineage_pictures() -> list[Path]:
    """The pictures of runs' OpenLineage events that `make lineage-graph` drew."""
    return sorted(PICTURES.glob("*.svg"))


def settings() -> dict[str, Any]:
    """The settings that the tests change, by tool and name."""
    return tomllib.loads(scenarios_page.SETTINGS.read_text("utf-8"))
