"""Ten mistakes, and what each tool tells of them: `python -m tools.mistakes`.

Keeps what the last `make test` recorded (pytest's JUnit XML in `.local/evidence`) in docs/mistakes.json.
"""

import json
import re
import tomllib
import xml.etree.ElementTree as ET
from typing import Any

from shared.settings import ROOT
from tools import scenarios

KEPT = ROOT / "docs" / "mistakes.json"
TEXTS = ROOT / "tests" / "mistakes" / "mistakes.toml"

Cells = dict[str, dict[str, dict[str, Any]]]
"""By mistake and tool: the code, the message, when and where it is seen, the seconds until then, the tool's version."""


def main() -> None:
    kept, new = cells(), recorded()
    mistakes = {
        id: text | {"tools": {tool: found[tool] for tool in scenarios.TOOLS if tool in found}}
        for id, text in texts().items()
        if (found := kept.get(id, {}) | new.get(id, {}))
    }
    KEPT.write_text(json.dumps(mistakes, indent=1, ensure_ascii=False) + "\n", "utf-8")


def texts() -> dict[str, dict[str, str]]:
    """Each mistake's title, what it is, and what a message must name to tell what is at fault."""
    found: dict[str, dict[str, str]] = tomllib.loads(TEXTS.read_text("utf-8"))["mistake"]
    return found


def cells() -> Cells:
    """What docs/mistakes.json has of each tool; nothing if it is not there."""
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    return {id: mistake["tools"] for id, mistake in kept.items()}


def recorded() -> Cells:
    """What the last run of the tests saw; tests that failed are left out."""
    found: Cells = {}
    for report in sorted(scenarios.RECORDED.glob("*.xml"), key=lambda path: path.stat().st_mtime):
        for case in ET.parse(report).iter("testcase"):
            place = re.fullmatch(r"tests\.mistakes\.test_(\w+)", case.attrib.get("classname", ""))
            failed = case.find("failure") is not None or case.find("error") is not None
            told = case.find("properties/property[@name='mistake']")
            if place and told is not None and not failed:
                id = case.attrib["name"].removeprefix("test_")
                found.setdefault(id, {})[place[1]] = json.loads(told.attrib["value"])
    return found


def disagreements() -> list[str]:
    """Where the last run of the tests saw another message than is kept, or saw it elsewhere."""
    kept = cells()
    return [
        f"the mistake {id} in {tool}: {name} is {cell[name]!r} now, docs/mistakes.json has {was!r}"
        for id, tools in recorded().items()
        for tool, cell in tools.items()
        for name in ("message", "seen_by")
        if (was := kept.get(id, {}).get(tool, {}).get(name)) != cell[name]
    ]


if __name__ == "__main__":
    main()
