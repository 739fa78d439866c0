"""The scenarios and what each tool did in them: `python -m tools.scenarios [ID]`, such as R4.

Keeps what the last `make test` recorded (pytest's JUnit XML in `.local/evidence`) in docs/evidence.json, and prints the
grades of all scenarios, or one scenario in full. `--check` looks whether every scenario is complete.
"""

import json
import os
import re
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shared.settings import ROOT

RECORDED = ROOT / ".local" / "evidence"
KEPT = ROOT / "docs" / "evidence.json"
TOOLS = ("airflow", "prefect", "dagster")
VERSIONS = ("obvious", "idiom")
SIGNS = {"by default": "●", "with its idiom": "◐", "with your own code": "○", "not possible": "–"}
TRAP = "⚠"

Evidence = dict[str, dict[str, dict[str, Any]]]
"""By scenario id and tool: the tool's version, the finding, and what each version of the code did."""


@dataclass(frozen=True)
class Scenario:
    """A folder with scenario.toml and a test for each tool."""

    folder: Path
    text: dict[str, Any]

    @property
    def id(self) -> str:
        return self.folder.name.split("_")[0].upper()

    @property
    def topic(self) -> str:
        return self.folder.parent.name

    def test(self, tool: str) -> Path:
        return self.folder / f"test_{tool}.py"


def scenarios() -> list[Scenario]:
    """All scenarios, by topic and number."""
    found = [
        Scenario(path.parent, tomllib.loads(path.read_text("utf-8"))) for path in ROOT.glob("tests/*/*/scenario.toml")
    ]
    return sorted(found, key=lambda scenario: (scenario.topic, int(scenario.id[1:])))


def main() -> None:
    wanted = [argument.upper() for argument in sys.argv[1:] if not argument.startswith("-")]
    if "--check" in sys.argv:
        check()
        return
    if unknown := set(wanted) - {scenario.id for scenario in scenarios()}:
        sys.exit(f"error: {', '.join(unknown)} is no scenario, expected one of {', '.join(s.id for s in scenarios())}")
    evidence = merge(kept(), recorded()) if not wanted or os.environ.get("RUN") else kept()
    if not wanted:
        KEPT.write_text(json.dumps(evidence, indent=1, ensure_ascii=False) + "\n", "utf-8")
    console = Console(width=max(140, Console().width))
    for scenario in scenarios():
        if scenario.id in wanted:
            show(scenario, evidence.get(scenario.id, {}), console)
    if not wanted:
        console.print(matrix(evidence))
        console.print(legend())


def recorded() -> Evidence:
    """What the last run of the tests saw; tests that failed are left out."""
    evidence: Evidence = {}
    for report in sorted(RECORDED.glob("*.xml"), key=lambda path: path.stat().st_mtime):
        for case in ET.parse(report).iter("testcase"):
            place = re.fullmatch(r"tests\.\w+\.([a-z]\d+)_\w+\.test_(\w+)", case.attrib.get("classname", ""))
            failed = case.find("failure") is not None or case.find("error") is not None
            if place and not failed:
                properties = {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
                observed = {name: json.loads(properties[name]) for name in VERSIONS if name in properties}
                text = {name: properties[name] for name in ("version", "finding")}
                evidence.setdefault(place[1].upper(), {})[place[2]] = text | observed
    return evidence


def kept() -> Evidence:
    """What docs/evidence.json has; nothing if it is not there."""
    evidence: Evidence = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    return evidence


def merge(kept: Evidence, recorded: Evidence) -> Evidence:
    """What is kept, renewed by what was recorded; scenarios that are no more are left out."""
    merged = {s.id: {**kept.get(s.id, {}), **recorded.get(s.id, {})} for s in scenarios()}
    return {id: {tool: cells[tool] for tool in TOOLS if tool in cells} for id, cells in merged.items() if cells}


def grade(scenario: Scenario, cell: dict[str, Any]) -> str:
    """Which code gives all that is wanted: the obvious one, else the idiom, else one that takes code of your own."""
    giving = [version for version in VERSIONS if version in cell and not missed(scenario, cell[version])]
    without_own_code = [version for version in giving if not cell[version]["own_code"]]
    if without_own_code:
        return {"obvious": "by default", "idiom": "with its idiom"}[without_own_code[0]]
    return "with your own code" if giving else "not possible"


def missed(scenario: Scenario, version: dict[str, Any]) -> list[str]:
    """The wanted answers that are no."""
    return [name for name in scenario.text["wanted"] if not version["answers"][name]]


def last(cell: dict[str, Any]) -> dict[str, Any]:
    """The best version that was run: the idiom, or the obvious code where there is no other."""
    version: dict[str, Any] = cell.get("idiom", cell["obvious"])
    return version


def is_trap(scenario: Scenario, cell: dict[str, Any]) -> bool:
    """Whether the obvious code misses something that is wanted while its run says success."""
    return cell["obvious"]["success"] and bool(missed(scenario, cell["obvious"]))


def disagreements() -> list[str]:
    """Where the last run of the tests answered otherwise than is kept."""
    known = kept()
    return [
        f"{id} in {tool}, {version}: {name} is {answer} now, docs/evidence.json has {was}"
        for id, cells in recorded().items()
        for tool, cell in cells.items()
        for version in VERSIONS
        for name, answer in cell.get(version, {}).get("answers", {}).items()
        if (was := known.get(id, {}).get(tool, {}).get(version, {}).get("answers", {}).get(name)) is not answer
    ]


def check() -> None:
    """Exits with a sentence for each scenario that lacks a test or evidence, or has evidence of other questions."""
    problems, evidence = parallel_pages(), kept()
    for scenario in scenarios():
        name, expected = f"test_{scenario.folder.name}", set(scenario.text["answers"])
        where = scenario.folder.relative_to(ROOT)
        if unknown := set(scenario.text["wanted"]) - expected:
            problems.append(f"{where}/scenario.toml wants {', '.join(unknown)}, which is none of its answers")
        for tool in TOOLS:
            path, cell = scenario.test(tool), evidence.get(scenario.id, {}).get(tool)
            if not path.exists() or f"def {name}(" not in path.read_text("utf-8"):
                problems.append(f"{where}/test_{tool}.py has no {name}")
            elif cell is None:
                problems.append(
                    f"docs/evidence.json has nothing of {scenario.id} in {tool}; run make test, make scenarios"
                )
            elif set(cell["obvious"]["answers"]) != expected or set(cell["obvious"]["facts"]) != set(
                scenario.text["facts"]
            ):
                problems.append(
                    f"docs/evidence.json answers other questions for {scenario.id} in {tool}; run make scenarios"
                )
    if problems:
        sys.exit("\n".join(f"error: {problem}" for problem in problems))


def parallel_pages() -> list[str]:
    """A sentence for each tool whose page tests, but for those that it alone has, are not the others' in order."""
    pages = {tool: ROOT / "tests" / "pages" / f"test_{tool}.py" for tool in TOOLS}
    names = {tool: re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.M) for tool, path in pages.items()}
    count = Counter(name for found in names.values() for name in found)
    common = {tool: [name for name in found if count[name] > 1] for tool, found in names.items()}
    expected = common[TOOLS[0]]
    return [
        f"tests/pages/test_{tool}.py has {found}, expected {expected}"
        for tool, found in common.items()
        if found != expected
    ]


def sign(scenario: Scenario, cell: dict[str, Any]) -> str:
    """The grade's sign, with a warning beside it for a trap."""
    return f"{SIGNS[grade(scenario, cell)]}{' ' + TRAP if is_trap(scenario, cell) else ''}"


def legend() -> str:
    signs = ", ".join(f"{sign} {name}" for name, sign in SIGNS.items())
    return f"{signs}; {TRAP} trap: the obvious code misses something that is wanted, and its run says success"


def matrix(evidence: Evidence) -> Table:
    """For each scenario and tool: sign, grade and finding."""
    table = Table("", *map(str.capitalize, TOOLS), show_lines=True)
    for scenario in scenarios():
        cells = [evidence.get(scenario.id, {}).get(tool) for tool in TOOLS]
        told = [
            f"{sign(scenario, c)} {grade(scenario, c)}\n{escape(c['finding'])}" if c else "not run yet" for c in cells
        ]
        table.add_row(f"[bold]{scenario.id}[/bold] {scenario.text['title']}", *told)
    return table


def show(scenario: Scenario, cells: dict[str, dict[str, Any]], console: Console) -> None:
    """One scenario in full: question, set-up, answers and facts of the tools side by side, and where the code is."""
    text = scenario.text
    console.print(f"\n[bold]{scenario.id} {text['title']}[/bold]\n{text['question']}\n")
    console.print(f"Why: {text['why']}\nSet-up: {text['setup']}\n")
    columns = [(tool, version) for tool in TOOLS for version in VERSIONS if version in cells.get(tool, {})]
    table = Table("", *(f"{tool.capitalize()}, {version}" for tool, version in columns), show_lines=True)
    for name, question in text["answers"].items():
        label = f"{question}{' (wanted)' if name in text['wanted'] else ''}"
        table.add_row(label, *("yes" if cells[t][v]["answers"][name] else "no" for t, v in columns))
    for name, label in text["facts"].items():
        table.add_row(f"[dim]{label}[/dim]", *(escape(words(cells[t][v]["facts"][name])) for t, v in columns))
    for label, of in {
        "run says success": "success",
        "run": "mode",
        "own code": "own_code",
        "code": "code",
        "lines": "lines",
    }.items():
        table.add_row(f"[dim]{label}[/dim]", *(escape(words(cells[t][v][of])) for t, v in columns))
    console.print(table)
    for tool, cell in cells.items():
        head = f"{sign(scenario, cell)} [bold]{tool.capitalize()} {cell['version']}[/bold], {grade(scenario, cell)}"
        console.print(f"{head}: {escape(cell['finding'])}")
    if missing := [tool for tool in TOOLS if tool not in cells]:
        console.print(f"not run yet: {', '.join(missing)}; make scenario {scenario.id} RUN=1 runs it")
    console.print(legend())


def words(value: Any) -> str:
    """A fact as a person reads it: `EWR 1, JFK 2` for a mapping."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {words(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(words, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in (None, "") else str(value)


if __name__ == "__main__":
    main()
